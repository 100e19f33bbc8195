use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

impl Item for u32 {
    fn measure(&self) -> Measure {
        Measure { weight: *self as usize, height: *self as usize % 50 }
    }
}

/// How long the sequences are: three levels, and under Miri, which is slow, two.
const LONG: u32 = if cfg!(miri) { 100 } else { 1_200 };
const MORE: u32 = if cfg!(miri) { 20 } else { 500 };
const STEPS: usize = if cfg!(miri) { 3 } else { 20 };

/// What must hold of any sequence, beside that it has these items.
#[track_caller]
fn check(chunks: &Chunks<u32>, items: &[u32]) {
    assert!(chunks.iter().eq(items));
    assert!(chunks.iter().rev().eq(items.iter().rev()));
    assert_eq!(chunks.iter().size_hint(), (items.len(), Some(items.len())));
    assert_eq!(chunks.len(), items.len());
    assert_eq!(chunks.measure(), Measure::sum(items.iter().map(Item::measure)));
    assert_eq!(*chunks, Chunks::from(items.to_vec()));
    check_node(chunks);
    if let Chunks::Branch(branch) = chunks {
        assert!(branch.width() > 1);
        // any two neighbours have more than half of a node, so there are at least four times as
        // many a level
        assert!(4_usize.pow(chunks.height() as u32) <= 2 * items.len(), "{}", chunks.height());
    }
}

#[track_caller]
fn check_node(node: &Chunks<u32>) {
    assert!(node.width() <= MAX);
    let Chunks::Branch(branch) = node else { return };
    let (mut end, mut sum) = (0, Measure::default());
    let mut width_before = FEW;
    for (child_end, child) in branch.nodes() {
        end += child.len();
        sum.add(child.measure());
        assert_eq!((child_end, child.height() + 1), (end, branch.height()));
        assert!(child.width() > 0);
        assert!(child.width() + width_before > FEW);
        width_before = child.width();
        check_node(child);
    }
    assert_eq!((branch.len(), branch.sum()), (end, sum));
}

#[derive(Clone, Debug)]
enum Step {
    Modify(Index, u32),
    Insert(Index, u32),
    Remove(Index),
    /// As many as it takes to empty nodes.
    RemoveMany(Index, usize),
    /// Every so many, which leaves nodes of few.
    Thin(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (any::<Index>(), 0..1_000_u32).prop_map(|(at, item)| Step::Modify(at, item)),
        (any::<Index>(), 0..1_000_u32).prop_map(|(at, item)| Step::Insert(at, item)),
        any::<Index>().prop_map(Step::Remove),
        (any::<Index>(), 0..MORE as usize).prop_map(|(at, count)| Step::RemoveMany(at, count)),
        (1..30_usize).prop_map(Step::Thin),
    ];
    vec(step, 0..STEPS)
}

proptest! {
    #[test]
    fn as_a_vec(len in 0..LONG, at in any::<Index>(), more in 0..MORE, steps in steps()) {
        let mut items: Vec<u32> = (0..len).collect();
        let mut chunks = Chunks::from(items.clone());
        check(&chunks, &items);
        // many at one place, which cuts nodes
        let place = at.index(items.len() + 1);
        for item in 0..more {
            items.insert(place, item);
            chunks.insert(place, item);
        }
        check(&chunks, &items);
        for step in steps {
            let (held, before) = (chunks.clone(), items.clone());
            match step {
                Step::Insert(at, item) => {
                    let at = at.index(items.len() + 1);
                    items.insert(at, item);
                    chunks.insert(at, item);
                }
                _ if items.is_empty() => {}
                Step::Modify(at, item) => {
                    let at = at.index(items.len());
                    items[at] = item;
                    chunks.modify(at, |old| *old = item);
                }
                Step::Remove(at) => {
                    let at = at.index(items.len());
                    prop_assert_eq!(chunks.remove(at), items.remove(at));
                }
                Step::RemoveMany(at, count) => {
                    let at = at.index(items.len());
                    for _ in 0..count.min(items.len() - at) {
                        prop_assert_eq!(chunks.remove(at), items.remove(at));
                    }
                }
                Step::Thin(kept) => {
                    let mut at = 0;
                    while at < items.len() {
                        for _ in 0..kept.min(items.len() - at) {
                            prop_assert_eq!(chunks.remove(at), items.remove(at));
                        }
                        at += 1;
                    }
                }
            }
            check(&chunks, &items);
            check(&held, &before);
        }
    }

    #[test]
    fn search_finds_what_is_there(mut items in vec(0..4_000_u32, 0..LONG as usize), of in 0..4_000_u32) {
        items.sort_unstable();
        items.dedup();
        let chunks = Chunks::from(items.clone());
        prop_assert_eq!(chunks.search(|item| item.cmp(&of)), items.binary_search(&of));
    }

    #[test]
    fn both_ends_meet(len in 0..LONG, ends in vec(any::<bool>(), 0..LONG as usize)) {
        let items: Vec<u32> = (0..len).collect();
        let chunks = Chunks::from(items.clone());
        let (mut ours, mut theirs) = (chunks.iter(), items.iter());
        for end in ends {
            match end {
                true => prop_assert_eq!(ours.next(), theirs.next()),
                false => prop_assert_eq!(ours.next_back(), theirs.next_back()),
            }
        }
        prop_assert!(ours.eq(theirs));
    }
}

/// A node that is cut at its end leaves one item behind it, which may stand before a small node.
#[test]
fn what_a_cut_leaves_is_joined_with_a_small_neighbour() {
    let lens: &[u32] = if cfg!(miri) { &[50] } else { &[730, 742] };
    for &len in lens {
        for place in 0..=len as usize {
            let mut items: Vec<u32> = (0..len).collect();
            let mut chunks = Chunks::from(items.clone());
            for item in 0..44 {
                items.insert(place, item);
                chunks.insert(place, item);
            }
            assert!(chunks.iter().eq(&items));
            check_node(&chunks);
        }
    }
}

#[test]
fn a_sequence_that_grows_at_its_end_has_full_nodes() {
    let mut chunks = Chunks::default();
    let len = (MAX * MAX) as u32;
    (0..len).for_each(|item| chunks.insert(item as usize, item));
    check(&chunks, &(0..len).collect::<Vec<_>>());
    assert_eq!((chunks.height(), chunks.width()), (1, MAX));
}

/// Nodes of `one` that are not in `other` at the same place: what a change has made anew.
fn copied(one: &Chunks<u32>, other: &Chunks<u32>) -> usize {
    let mut at = 0;
    let mut last = None;
    let mut leaves = 0;
    while at < one.len().min(other.len()) {
        let shared = one.shared_ahead(at, other, at);
        if shared == 0 {
            let leaf = one.locate(at).0.as_ptr();
            leaves += usize::from(last != Some(leaf));
            last = Some(leaf);
        }
        at += shared.max(1);
    }
    leaves
}

/// A change of a long sequence that somebody else holds copies one node a level, whatever the
/// length: the steps of one are at most as many as such nodes can have items.
#[test]
fn a_change_copies_one_node_a_level() {
    // Miri is slow
    let lens: &[usize] = if cfg!(miri) { &[1_000] } else { &[1_000, 100_000, 1_000_000] };
    for &len in lens {
        let before: Chunks<u32> = (0..len as u32).collect::<Vec<_>>().into();
        assert!(before.height() <= 4, "{} levels for {len} items", before.height());
        let middle = len / 2;
        let mut after = before.clone();
        after.modify(middle, |item| *item = 0);
        assert_eq!(copied(&after, &before), 1);
        assert_eq!(before.get(middle), Some(&(middle as u32)));
        // what is before and after it is found to be the same in steps that go with the levels, not
        // with the items
        let (mut at, mut steps) = (0, 0);
        while at < len {
            at += after.shared_ahead(at, &before, at).max(1);
            steps += 1;
        }
        assert!(steps <= (after.height() + 1) * MAX + MAX, "{steps} steps for {len} items");
    }
}

#[test]
fn parts_that_have_moved_are_still_the_same_memory() {
    let before: Chunks<u32> = (0..1_000).collect::<Vec<_>>().into();
    let mut after = before.clone();
    after.remove(500);
    assert!(after.shared_ahead(0, &before, 0) >= FILL);
    assert_eq!(after.shared_ahead(500, &before, 501), 0);
    assert!(after.shared_ahead(998, &before, 999) > 0);
    assert!(after.shared_behind(998, &before, 999) > 1);
    assert_eq!(after.shared_ahead(998, &before, 998), 0);
}
