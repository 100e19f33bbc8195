//! The difference between two values, as a patch.

use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::ops::Range;

use super::{Array, Object, Operation, Patch, Pointer, Token, Value, subsequence};

/// A patch that makes `to` of `from`.
///
/// Parts that both share are not looked at. In lists, what is equal at the head and at the tail
/// stays, and between them the longest common subsequence, if it can be found at bounded cost;
/// elements that stand in between are matched by their place. Where several operations would be
/// longer than the new part as a whole, that is sent. There is never a `test`, a `move` or a
/// `copy`: what is removed in one place and is new in another is sent again.
#[must_use]
pub fn diff(from: &Value, to: &Value) -> Patch {
    let mut operations = Vec::new();
    diff_into(from, to, &mut Pointer::root(), &mut operations);
    Patch(operations)
}

/// Appends what makes `to` of `from`, both at `path`, which is left as it was.
pub(crate) fn diff_into(
    from: &Value,
    to: &Value,
    path: &mut Pointer,
    operations: &mut Vec<Operation>,
) {
    Differ { path, operations }.value(from, to);
}

/// Replaces the operations from `first` on, all of them at or inside `path`, by one that sets it to
/// `to`, if that is shorter.
pub(crate) fn shorten(first: usize, to: &Value, path: &Pointer, operations: &mut Vec<Operation>) {
    if operations.len() - first < 2 {
        return;
    }
    let mut room = Room(usize::MAX);
    let written = operations[first..].iter().try_for_each(|operation| operation.write(&mut room));
    let commas = operations.len() - first - 1;
    let length = usize::MAX - room.0 + commas;
    let whole = whole(to, path);
    if written.is_ok() && whole.write(&mut Room(length - 1)).is_ok() {
        operations.truncate(first);
        operations.push(whole);
    }
}

fn whole(value: &Value, path: &Pointer) -> Operation {
    Operation::Replace { path: path.clone(), value: value.clone() }
}

struct Differ<'a> {
    path: &'a mut Pointer,
    operations: &'a mut Vec<Operation>,
}

impl Differ<'_> {
    fn value(&mut self, from: &Value, to: &Value) {
        let before = self.operations.len();
        match (from, to) {
            (Value::Array(from), Value::Array(to)) if !from.is_empty() && !to.is_empty() => {
                self.list(from, to);
            }
            (Value::Object(from), Value::Object(to)) if !from.is_empty() && !to.is_empty() => {
                self.object(from, to);
            }
            _ if from == to => {}
            _ => self.operations.push(whole(to, self.path)),
        }
        shorten(before, to, self.path, self.operations);
    }

    fn object(&mut self, from: &Object, to: &Object) {
        let (from, to) = (&from.members, &to.members);
        if from.same(to) {
            return;
        }
        let (mut from_at, mut to_at) = (0, 0);
        loop {
            let (old, new) = (from.get(from_at), to.get(to_at));
            match (old, new) {
                (Some(old), Some(new)) if old.name == new.name => {
                    let shared = from.shared_ahead(from_at, to, to_at);
                    if shared == 0 {
                        self.inside(Token::Name(new.name.clone()), |differ| {
                            differ.value(&old.value, &new.value);
                        });
                    }
                    from_at += shared.max(1);
                    to_at += shared.max(1);
                }
                (Some(old), new) if new.is_none_or(|new| old.name < new.name) => {
                    self.remove(Token::Name(old.name.clone()));
                    from_at += 1;
                }
                (_, Some(new)) => {
                    self.add(Token::Name(new.name.clone()), &new.value);
                    to_at += 1;
                }
                _ => break,
            }
        }
    }

    fn list(&mut self, from: &Array, to: &Array) {
        if from.items.same(&to.items) {
            return;
        }
        let head = common_head(from, to);
        let tail = common_tail(from, to, from.len().min(to.len()) - head);
        let (from_end, to_end) = (from.len() - tail, to.len() - tail);
        let mut gaps = Gaps { differ: self, from, to, old: head, new: head };
        for (old, new) in stay(from, head..from_end, to, head..to_end) {
            gaps.up_to(old, new);
            gaps.old += 1;
            gaps.new += 1;
        }
        gaps.up_to(from_end, to_end);
    }

    fn add(&mut self, token: Token, value: &Value) {
        let path = self.path.clone().child(token);
        self.operations.push(Operation::Add { path, value: value.clone() });
    }

    fn remove(&mut self, token: Token) {
        let path = self.path.clone().child(token);
        self.operations.push(Operation::Remove { path });
    }

    fn inside(&mut self, token: Token, change: impl FnOnce(&mut Self)) {
        self.path.push(token);
        change(self);
        self.path.pop();
    }
}

/// Two lists, gone through from the head; what stands between elements that stay is a gap.
struct Gaps<'a, 'b> {
    differ: &'a mut Differ<'b>,
    from: &'a Array,
    to: &'a Array,
    /// The next element of `from`.
    old: usize,
    /// The next element of `to`; the list is patched up to there, so it is also the index of
    /// element `old` in it.
    new: usize,
}

impl Gaps<'_, '_> {
    /// Patches up to these elements, which stay: by place as long as there are two, and then what
    /// is over.
    fn up_to(&mut self, old_end: usize, new_end: usize) {
        while self.old < old_end && self.new < new_end {
            if let (Some(old), Some(new)) = (self.from.get(self.old), self.to.get(self.new)) {
                self.differ.inside(Token::Index(self.new), |differ| differ.value(old, new));
            }
            self.old += 1;
            self.new += 1;
        }
        while self.old < old_end {
            self.differ.remove(Token::Index(self.new));
            self.old += 1;
        }
        while let Some(value) = self.to.get(self.new).filter(|_| self.new < new_end) {
            self.differ.add(Token::Index(self.new), value);
            self.new += 1;
        }
    }
}

/// Which elements of two ranges stay what they are, in ascending pairs.
fn stay(
    from: &Array,
    from_range: Range<usize>,
    to: &Array,
    to_range: Range<usize>,
) -> Vec<(usize, usize)> {
    if from_range.is_empty() || to_range.is_empty() {
        return Vec::new();
    }
    if from_range.len() == to_range.len() {
        // mostly some elements have changed, and none has come or gone
        let pairs = from_range.clone().zip(to_range.clone());
        let equal = pairs.filter(|(old, new)| from.get(*old) == to.get(*new));
        let pairs: Vec<_> = equal.collect();
        if pairs.len() * 2 >= from_range.len() {
            return pairs;
        }
    }
    let olds = from_range.clone().filter_map(|at| from.get(at));
    let news = to_range.clone().filter_map(|at| to.get(at));
    let pairs = subsequence::common(olds, news).unwrap_or_default();
    pairs.into_iter().map(|(old, new)| (from_range.start + old, to_range.start + new)).collect()
}

/// How many elements are equal from the first on.
fn common_head(from: &Array, to: &Array) -> usize {
    let most = from.len().min(to.len());
    let mut head = 0;
    while head < most {
        let shared = from.items.shared_ahead(head, &to.items, head);
        if shared == 0 && from.get(head) != to.get(head) {
            break;
        }
        head += shared.max(1);
    }
    head.min(most)
}

/// How many elements are equal from the last on, up to `most`.
fn common_tail(from: &Array, to: &Array, most: usize) -> usize {
    let mut tail = 0;
    while tail < most {
        let (old, new) = (from.len() - 1 - tail, to.len() - 1 - tail);
        let shared = from.items.shared_behind(old, &to.items, new);
        if shared == 0 && from.get(old) != to.get(new) {
            break;
        }
        tail += shared.max(1);
    }
    tail.min(most)
}

/// Counts what is written, and fails when it is more than there is room for.
struct Room(usize);

impl Write for Room {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}
