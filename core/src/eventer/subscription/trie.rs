//! Query types as a tree by segment, in four arrays.
//!
//! ```text
//! nodes   [ root │ … ]     each: its edges first..end, its ? child, whether a query type ends here, or with *
//! hashes  [ of the edges of root, ascending │ of those of the next node, ascending │ … ]
//! edges   [ the same order: where the segment is in texts, the child │ … ]
//! texts   [ segments ]
//! ```
//!
//! A look-up of a segment is a binary search in the hashes of the node, which lie close together, and one comparison. The hash
//! needs no secret: equal hashes are ordered by text, so a peer that makes them collide gains nothing.

use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;

use crate::eventer::EventType;
use crate::eventer::event_type::SegmentBytes;

/// Where every look-up starts.
pub(super) const ROOT: u32 = 0;

/// No child.
const NONE: u32 = u32::MAX;

/// Nodes on the way of a look-up that need no allocation.
const FEW: usize = 16;

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    hashes: Vec<u64>,
    edges: Vec<Edge>,
    texts: Vec<u8>,
}

/// Indices are 32 bits wide: a subscription's size is limited to less.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    first: u32,
    end: u32,
    any: u32,
    ends: bool,
    rest: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Edge {
    text: Range<u32>,
    child: u32,
}

/// Query types that share the segments up to a node.
struct Group {
    node: u32,
    types: Range<usize>,
}

impl Trie {
    /// Of `sorted`, distinct query types in order. Goes down level by level, so that depth takes no stack.
    pub(super) fn new(sorted: &[&EventType]) -> Self {
        let mut trie = Self {
            nodes: vec![Node::new()],
            hashes: Vec::new(),
            edges: Vec::new(),
            texts: Vec::new(),
        };
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
        children: &mut Vec<(u64, &'a [u8], Range<usize>)>,
        below: &mut Vec<Group>,
    ) {
        let mut any = group.types.start..group.types.start;
        children.clear();
        for index in group.types {
            let cursor = &mut cursors[index];
            match cursor.next() {
                None => self.nodes[group.node as usize].ends = true,
                // only in the last place, which was checked
                Some(b"*") => self.nodes[group.node as usize].rest = true,
                Some(b"?") if any.is_empty() => any = index..index + 1,
                Some(b"?") => any.end = index + 1,
                Some(segment) => match children.last_mut() {
                    Some((_, last, types)) if *last == segment => types.end = index + 1,
                    _ => children.push((hash(segment), segment, index..index + 1)),
                },
            }
        }

        if !any.is_empty() {
            let node = self.add_node();
            self.nodes[group.node as usize].any = node;
            below.push(Group { node, types: any });
        }
        children.sort_unstable_by_key(|&(hash, segment, _)| (hash, segment));
        self.nodes[group.node as usize].first = self.edges.len() as u32;
        for (hash, segment, types) in children.drain(..) {
            let node = self.add_node();
            let start = self.texts.len() as u32;
            self.texts.extend_from_slice(segment);
            self.hashes.push(hash);
            self.edges.push(Edge { text: start..self.texts.len() as u32, child: node });
            below.push(Group { node, types });
        }
        self.nodes[group.node as usize].end = self.edges.len() as u32;
    }

    fn add_node(&mut self) -> u32 {
        self.nodes.push(Node::new());
        (self.nodes.len() - 1) as u32
    }

    pub(super) fn is_empty(&self) -> bool {
        let root = &self.nodes[ROOT as usize];
        !root.ends && !root.rest && root.any == NONE && root.first == root.end
    }

    pub(super) fn matches(&self, event_type: &EventType) -> bool {
        let mut active = Active::new();
        let mut next = Active::new();
        active.push(ROOT);
        for segment in event_type.segment_bytes() {
            let hash = hash(segment);
            for node in active.nodes() {
                let node = &self.nodes[node as usize];
                if node.rest {
                    return true;
                }
                if let Some(child) = self.find(node, hash, segment) {
                    next.push(child);
                }
                if node.any != NONE {
                    next.push(node.any);
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

    /// Whether a query type of the tree other than `query`, which is one of them, matches all that `query` matches.
    pub(super) fn covers_besides_itself(&self, query: &EventType) -> bool {
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
            for node in active.nodes() {
                let exact = self.child(node, segment);
                if node == own {
                    own = exact.unwrap_or(NONE);
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

    /// Whether a query type ends at `node` with `*`. In reduced form nothing else starts or ends there then.
    pub(super) fn rest(&self, node: u32) -> bool {
        self.nodes[node as usize].rest
    }

    /// Where `?` leads from `node`.
    pub(super) fn any(&self, node: u32) -> Option<u32> {
        Some(self.nodes[node as usize].any).filter(|&any| any != NONE)
    }

    /// Where `segment` of a query type leads from `node`, taken literally but for `?`.
    pub(super) fn child(&self, node: u32, segment: &[u8]) -> Option<u32> {
        match segment {
            b"?" => self.any(node),
            _ => self.find(&self.nodes[node as usize], hash(segment), segment),
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
        let edges = &self.edges[node.first as usize..node.end as usize];
        edges.iter().map(|edge| (self.text(edge), edge.child))
    }

    #[inline]
    fn find(&self, node: &Node, hash: u64, segment: &[u8]) -> Option<u32> {
        let hashes = &self.hashes[node.first as usize..node.end as usize];
        let from = hashes.partition_point(|&other| other < hash);
        if hashes.get(from) != Some(&hash) {
            return None;
        }
        let edges = &self.edges[node.first as usize + from..node.end as usize];
        if self.text(&edges[0]) == segment {
            return Some(edges[0].child);
        }
        let equal = hashes[from..].partition_point(|&other| other == hash);
        let found = edges[..equal].binary_search_by_key(&segment, |edge| self.text(edge)).ok()?;
        Some(edges[found].child)
    }

    #[inline]
    fn text(&self, edge: &Edge) -> &[u8] {
        &self.texts[edge.text.start as usize..edge.text.end as usize]
    }
}

impl Node {
    fn new() -> Self {
        Self { first: 0, end: 0, any: NONE, ends: false, rest: false }
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
    fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    fn clear(&mut self) {
        self.len = 0;
        self.many.clear();
    }
}

/// Spreads segments evenly, eight bytes a step. The same everywhere and always.
#[inline]
fn hash(segment: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |hash: u64, word: u64| {
        let mixed = (hash ^ word).wrapping_mul(FACTOR);
        mixed ^ mixed >> 32
    };
    let mut hash = segment.len() as u64;
    let mut words = segment.chunks_exact(8);
    for word in &mut words {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(word);
        hash = step(hash, u64::from_le_bytes(bytes));
    }
    let mut last = 0;
    for &byte in words.remainder() {
        last = last << 8 | u64::from(byte);
    }
    step(hash, last).wrapping_mul(FACTOR)
}
