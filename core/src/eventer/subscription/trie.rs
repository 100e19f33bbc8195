//! Query types as a tree by segment, in three arrays.
//!
//! ```text
//! nodes   [ root │ children of root, by hash │ its ? child │ children of the first of those … ]
//! hashes  [        the same order: of the segment that leads to the node, 0 for ? ]
//! texts   [        the same order: the segments; nodes say where each ends, and the next starts ]
//! ```
//!
//! Edge `i` leads to node `i + 1`, so a step takes a search in the hashes of a node, which lie
//! close together, and one read of the next node, in whose line of memory is what stands for the
//! segment, too. Where there is one child only, it is compared and nothing is hashed. The hash
//! needs no secret: equal hashes are ordered by segment, so a peer that makes them collide gains
//! nothing.

use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;

use super::segment::{Key, position};
use crate::eventer::EventType;
use crate::eventer::event_type::SegmentBytes;

/// Where every look-up starts.
pub(super) const ROOT: u32 = 0;

/// Nodes on the way of a look-up that need no allocation.
const FEW: usize = 16;

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    hashes: Vec<u32>,
    texts: Vec<u8>,
}

/// Indices are 32 bits wide: a subscription's size is limited to less. Two nodes are in a line of
/// memory, and none is in two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(align(32))]
struct Node {
    /// The segment that leads here.
    key: Key,
    /// Edges to children by their segments, of ascending hash.
    first: u32,
    end: u32,
    /// Where that segment ends in the texts. It starts where the one before ends.
    text_end: u32,
    /// Whether the edge at `end` is `?`.
    any: bool,
    /// Whether a query type ends here.
    ends: bool,
    /// Whether a query type ends here with `*`.
    rest: bool,
}

/// A segment that is looked up.
#[derive(Clone, Copy)]
struct Segment<'a> {
    key: Key,
    text: &'a [u8],
}

impl<'a> Segment<'a> {
    #[inline]
    fn new(text: &'a [u8]) -> Self {
        Self { key: Key::of(text), text }
    }
}

/// Query types that share the segments up to a node.
struct Group {
    node: u32,
    types: Range<usize>,
}

impl Trie {
    /// Of `sorted`, distinct query types in order. Goes down level by level, so that depth takes no
    /// stack.
    pub(super) fn new(sorted: &[&EventType]) -> Self {
        let mut trie = Self { nodes: vec![Node::default()], hashes: Vec::new(), texts: Vec::new() };
        let mut cursors: Vec<_> = sorted.iter().map(|query| query.segment_bytes()).collect();
        let mut level = vec![Group { node: ROOT, types: 0..sorted.len() }];
        let mut children = Vec::new();
        while !level.is_empty() {
            let mut below = Vec::new();
            for group in level {
                trie.split(group, &mut cursors, &mut children, &mut below);
            }
            level = below;
        }
        trie
    }

    /// Gives the node of `group` its children, and adds their groups to `below`.
    fn split<'a>(
        &mut self,
        group: Group,
        cursors: &mut [SegmentBytes<'a>],
        children: &mut Vec<(Segment<'a>, Range<usize>)>,
        below: &mut Vec<Group>,
    ) {
        let mut node = self.nodes[group.node as usize];
        let mut any = group.types.start..group.types.start;
        children.clear();
        for index in group.types {
            match cursors[index].next() {
                None => node.ends = true,
                // only in the last place, which was checked
                Some(b"*") => node.rest = true,
                Some(b"?") if any.is_empty() => any = index..index + 1,
                Some(b"?") => any.end = index + 1,
                Some(segment) => match children.last_mut() {
                    Some((last, types)) if last.text == segment => types.end = index + 1,
                    _ => children.push((Segment::new(segment), index..index + 1)),
                },
            }
        }
        children.sort_unstable_by_key(|&(Segment { key, text }, _)| (key.hash(), key, text));
        node.first = self.hashes.len() as u32;
        node.end = node.first + children.len() as u32;
        node.any = !any.is_empty();
        self.nodes[group.node as usize] = node;
        for (Segment { key, text }, types) in children.drain(..) {
            below.push(Group { node: self.add(key.hash(), key, text), types });
        }
        if node.any {
            below.push(Group { node: self.add(0, Key::default(), b""), types: any });
        }
    }

    /// An edge, and the node that it leads to.
    fn add(&mut self, hash: u32, key: Key, text: &[u8]) -> u32 {
        self.texts.extend_from_slice(text);
        self.hashes.push(hash);
        self.nodes.push(Node { key, text_end: self.texts.len() as u32, ..Node::default() });
        self.hashes.len() as u32
    }

    pub(super) fn is_empty(&self) -> bool {
        let root = &self.nodes[ROOT as usize];
        !root.ends && !root.rest && !root.any && root.first == root.end
    }

    /// How many nodes there are besides the root.
    pub(super) fn edges(&self) -> usize {
        self.hashes.len()
    }

    pub(super) fn matches(&self, event_type: &EventType) -> bool {
        let mut segments = event_type.segment_bytes();
        let mut node = &self.nodes[ROOT as usize];
        while !node.rest {
            let Some(segment) = segments.next() else { return node.ends };
            let child = self.find(node, Segment::new(segment));
            let any = node.any();
            let next = match (child, any) {
                (None, None) => return false,
                (Some(child), Some(any)) => return self.branches_match([child, any], segments),
                (Some(child), None) | (None, Some(child)) => child,
            };
            node = &self.nodes[next as usize];
        }
        true
    }

    /// Whether one of the paths from `nodes` on matches. Goes along all of them at once, so that
    /// each segment is looked at once.
    fn branches_match(&self, nodes: [u32; 2], segments: SegmentBytes<'_>) -> bool {
        let mut active = Active::new();
        let mut next = Active::new();
        nodes.into_iter().for_each(|node| active.push(node));
        for segment in segments {
            let segment = Segment::new(segment);
            for node in active.nodes() {
                let node = &self.nodes[node as usize];
                if node.rest {
                    return true;
                }
                if let Some(child) = self.find(node, segment) {
                    next.push(child);
                }
                if let Some(any) = node.any() {
                    next.push(any);
                }
            }
            mem::swap(&mut active, &mut next);
            next.clear();
            if active.is_empty() {
                return false;
            }
        }
        active.nodes().any(|node| self.ends(node) || self.rest(node))
    }

    /// Whether a query type of the tree other than `query`, which is one of them, matches all that
    /// `query` matches. Takes the steps besides its own way from `left`; with none left the answer
    /// means nothing.
    pub(super) fn covers_besides_itself(&self, query: &EventType, left: &mut usize) -> bool {
        let mut active = Active::new();
        let mut next = Active::new();
        let mut own = ROOT;
        active.push(ROOT);
        for segment in query.segment_bytes() {
            if segment == b"*" {
                return active.nodes().any(|node| self.rest(node) && node != own);
            }
            if active.nodes().any(|node| self.rest(node)) {
                return true;
            }
            *left = left.saturating_sub(active.count().saturating_sub(1));
            if *left == 0 {
                return false;
            }
            for node in active.nodes() {
                let exact = self.child(node, segment);
                if node == own {
                    own = exact.expect("the tree holds the query type");
                }
                exact.into_iter().for_each(|child| next.push(child));
                if segment != b"?" {
                    self.any(node).into_iter().for_each(|child| next.push(child));
                }
            }
            mem::swap(&mut active, &mut next);
            next.clear();
        }
        active.nodes().any(|node| self.rest(node) || self.ends(node) && node != own)
    }

    /// All query types, in no particular order.
    pub(super) fn query_types(&self) -> Vec<EventType> {
        let mut query_types = Vec::new();
        let mut path: Vec<&[u8]> = Vec::new();
        // nodes to visit, with their depth and the segment that leads to them
        let mut stack: Vec<(u32, usize, &[u8])> = vec![(ROOT, 0, b"")];
        while let Some((node, depth, segment)) = stack.pop() {
            path.truncate(depth.saturating_sub(1));
            if depth > 0 {
                path.push(segment);
            }
            if self.ends(node) {
                query_types.push(EventType::from_segment_bytes(path.iter().copied()));
            }
            if self.rest(node) {
                let star: &[u8] = b"*";
                query_types.push(EventType::from_segment_bytes(path.iter().copied().chain([star])));
            }
            stack.extend(self.any(node).map(|child| (child, depth + 1, &b"?"[..])));
            stack.extend(self.children(node).map(|(text, child)| (child, depth + 1, text)));
        }
        query_types
    }

    /// Whether a query type ends at `node`.
    pub(super) fn ends(&self, node: u32) -> bool {
        self.nodes[node as usize].ends
    }

    /// Whether a query type ends at `node` with `*`. In reduced form nothing else starts or ends
    /// there then.
    pub(super) fn rest(&self, node: u32) -> bool {
        self.nodes[node as usize].rest
    }

    /// Where `?` leads from `node`.
    pub(super) fn any(&self, node: u32) -> Option<u32> {
        self.nodes[node as usize].any()
    }

    /// Where `segment` of a query type leads from `node`, taken literally but for `?`.
    pub(super) fn child(&self, node: u32, segment: &[u8]) -> Option<u32> {
        match segment {
            b"?" => self.any(node),
            _ => self.find(&self.nodes[node as usize], Segment::new(segment)),
        }
    }

    /// How many children besides `?` the node has.
    pub(super) fn width(&self, node: u32) -> usize {
        let node = &self.nodes[node as usize];
        (node.end - node.first) as usize
    }

    /// The children besides `?`, with the segments that lead to them.
    pub(super) fn children(&self, node: u32) -> impl Iterator<Item = (&[u8], u32)> {
        let node = &self.nodes[node as usize];
        (node.first..node.end).map(|edge| (self.text(edge as usize), edge + 1))
    }

    /// Where `segment` leads from `node`.
    #[inline(always)] // what is looked up stays in registers
    fn find(&self, node: &Node, segment: Segment<'_>) -> Option<u32> {
        let (first, end) = (node.first as usize, node.end as usize);
        match end - first {
            0 => None,
            1 => self.is(first, segment).then_some(first as u32 + 1),
            _ => {
                let (hashes, hash) = (&self.hashes[first..end], segment.key.hash());
                let at = position(hashes, hash);
                if hashes.get(at) != Some(&hash) {
                    return None;
                }
                let edge = first + at;
                if self.is(edge, segment) {
                    return Some(edge as u32 + 1);
                }
                self.find_equal(edge, end, segment)
            }
        }
    }

    /// The same among the edges from `edge` to `end` that have one hash with it, where that is of
    /// another segment: they are in order.
    #[cold]
    fn find_equal(&self, edge: usize, end: usize, segment: Segment<'_>) -> Option<u32> {
        let hash = self.hashes[edge];
        let (mut low, mut high) = (edge, edge);
        high += self.hashes[edge..end].partition_point(|&other| other == hash);
        let last = high;
        while low < high {
            let middle = low.midpoint(high);
            let other = (self.nodes[middle + 1].key, self.text(middle));
            if other < (segment.key, segment.text) { low = middle + 1 } else { high = middle }
        }
        (low < last && self.is(low, segment)).then_some(low as u32 + 1)
    }

    /// Whether `segment` is that of `edge`.
    #[inline]
    fn is(&self, edge: usize, segment: Segment<'_>) -> bool {
        self.nodes[edge + 1].key == segment.key
            && (!segment.key.is_long() || self.text(edge) == segment.text)
    }

    /// The segment of `edge`.
    #[inline]
    fn text(&self, edge: usize) -> &[u8] {
        let [before, to] = [edge, edge + 1].map(|node| self.nodes[node].text_end as usize);
        &self.texts[before..to]
    }
}

impl Node {
    #[inline]
    fn any(&self) -> Option<u32> {
        self.any.then_some(self.end + 1)
    }
}

/// Nodes that the segments so far lead to. It is a tree, so none comes twice.
struct Active {
    few: [u32; FEW],
    len: usize,
    many: Vec<u32>,
}

impl Active {
    #[inline]
    fn new() -> Self {
        Self { few: [0; FEW], len: 0, many: Vec::new() }
    }

    #[inline]
    fn push(&mut self, node: u32) {
        match self.few.get_mut(self.len) {
            Some(place) => {
                *place = node;
                self.len += 1;
            }
            None => self.many.push(node),
        }
    }

    #[inline]
    fn nodes(&self) -> impl Iterator<Item = u32> {
        self.few[..self.len].iter().chain(&self.many).copied()
    }

    #[inline]
    fn count(&self) -> usize {
        self.len + self.many.len()
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    fn clear(&mut self) {
        self.len = 0;
        self.many.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_equal_hash_are_told_apart() {
        let long = "as long as need be";
        let texts = ["a", "b", "c", "as long as need be 1", "as long as need be 2"];
        let types = texts.map(|text| EventType::from_segments([text]));
        let mut trie = Trie::new(&types.iter().collect::<Vec<_>>());
        // as if all had the hash 7
        trie.hashes.fill(7);
        let mut segments = texts.map(|text| Segment::new(text.as_bytes()));
        segments.sort_unstable_by_key(|segment| (segment.key, segment.text));
        trie.texts.clear();
        for (node, segment) in trie.nodes[1..].iter_mut().zip(&segments) {
            trie.texts.extend_from_slice(segment.text);
            (node.key, node.text_end) = (segment.key, trie.texts.len() as u32);
        }
        let find = |segment| trie.find_equal(0, segments.len(), segment);
        for (index, segment) in segments.iter().enumerate() {
            assert_eq!(find(*segment), Some(index as u32 + 1));
        }
        for other in [&b"d"[..], b"", long.as_bytes()] {
            assert_eq!(find(Segment::new(other)), None);
        }
    }
}
