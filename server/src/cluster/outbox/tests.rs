//! Traces: what is published next after what happened.

use super::*;

struct Bench {
    outbox: Outbox<char>,
    now: Instant,
}

impl Bench {
    /// With an open writer.
    fn open() -> Self {
        let mut bench =
            Self { outbox: Outbox::new(7, OutboxOptions::default()), now: Instant::ORIGIN };
        bench.outbox.open(Opening::Plain);
        assert_eq!(bench.next(), "1-open");
        bench.outbox.opened(7, 1);
        bench
    }

    fn push(&mut self, ticket: char) {
        self.outbox.push(ticket, Bytes::from(vec![ticket as u8]), None, self.now);
    }

    fn publish(&mut self) -> Option<Publish> {
        let second = i64::try_from(self.now.since_origin().as_secs()).expect("small");
        self.outbox.next(self.now, || Timestamp::from_secs(second))
    }

    /// What is published next, in words.
    fn next(&mut self) -> String {
        let Some(publish) = self.publish() else { return "nothing".into() };
        match publish.message.body {
            Body::Open => publish.id.split_once('-').expect("a writer before it").1.into(),
            Body::Session(bytes) => {
                let (_, id) = publish.id.split_once('-').expect("a writer before it");
                format!("{} as {id} at {}", char::from(bytes[0]), publish.message.timestamp.s())
            }
            other => format!("{other:?}"),
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }
}

const fn place(number: u64) -> Place {
    Place { writer: 7, epoch: 1, number }
}

const fn key(number: u64, round: u32) -> Key {
    Key { place: place(number), is_opening: false, round }
}

#[test]
fn sessions_go_out_in_their_order_and_are_settled_when_they_are_seen() {
    let mut bench = Bench::open();
    bench.push('a');
    bench.push('b');
    assert_eq!(bench.next(), "a as 1-0-0 at 0");
    assert_eq!(bench.next(), "b as 1-1-0 at 0");
    assert_eq!(bench.next(), "nothing");
    bench.outbox.stored(key(0, 0));
    assert_eq!(bench.outbox.applied(place(0)), Some('a'));
    assert_eq!(bench.outbox.applied(place(0)), None, "once");
    assert_eq!(bench.outbox.applied(Place { writer: 9, ..place(1) }), None, "another node's");
    assert_eq!(bench.outbox.applied(place(1)), Some('b'));
    assert!(bench.outbox.is_empty());
}

#[test]
fn what_failed_goes_again_alone_with_the_same_id_and_time() {
    let mut bench = Bench::open();
    for ticket in ['a', 'b', 'c'] {
        bench.push(ticket);
    }
    assert_eq!(bench.next(), "a as 1-0-0 at 0");
    assert_eq!(bench.next(), "b as 1-1-0 at 0");
    bench.wait(Duration::from_secs(1));
    bench.outbox.failed(key(0, 0), bench.now);
    assert_eq!(bench.next(), "nothing", "a pause");
    bench.wait(Duration::from_millis(100));
    // the second one is on its way, and is void where it comes first
    assert_eq!(bench.next(), "nothing");
    bench.outbox.void(place(1));
    assert_eq!(bench.next(), "a as 1-0-0 at 0");
    assert_eq!(bench.next(), "nothing");
    assert_eq!(bench.outbox.applied(place(0)), Some('a'));
    assert_eq!(bench.next(), "b as 1-1-1 at 0");
    assert_eq!(bench.next(), "c as 1-2-0 at 1");
}

#[test]
fn nothing_goes_out_before_the_epoch_is_in_the_stream() {
    let mut outbox = Outbox::new(7, OutboxOptions::default());
    let now = Instant::ORIGIN;
    outbox.push('a', Bytes::from_static(b"a"), None, now);
    assert!(outbox.is_closed());
    assert_eq!(outbox.next(now, || Timestamp::MIN), None);
    outbox.open(Opening::Plain);
    let open = outbox.next(now, || Timestamp::MIN).expect("it opens");
    assert_eq!(open.message.body, Body::Open);
    assert_eq!(outbox.next(now, || Timestamp::MIN), None);
    outbox.failed(open.key, now);
    let later = now + Duration::from_secs(1);
    assert_eq!(outbox.next(later, || Timestamp::MIN).expect("again").id, open.id);
    outbox.opened(7, 1);
    assert!(outbox.is_open());
    assert_eq!(outbox.next(later, || Timestamp::MIN).expect("a").message.place.number, 0);
}

#[test]
fn an_opening_that_never_comes_is_followed_by_another_one() {
    let mut bench =
        Bench { outbox: Outbox::new(7, OutboxOptions::default()), now: Instant::ORIGIN };
    bench.outbox.open(Opening::Plain);
    assert_eq!(bench.next(), "1-open");
    assert_eq!(bench.outbox.deadline(), Some(bench.now + Duration::from_secs(10)));
    bench.wait(Duration::from_secs(9));
    assert!(bench.outbox.expire(bench.now).is_empty() && !bench.outbox.is_closed());
    bench.wait(Duration::from_secs(1));
    assert!(bench.outbox.expire(bench.now).is_empty() && bench.outbox.is_closed());
    bench.outbox.open(Opening::Plain);
    assert_eq!(bench.next(), "2-open");
    // it comes after all, and opens nothing
    bench.outbox.opened(7, 1);
    assert!(!bench.outbox.is_open());
    bench.outbox.opened(7, 2);
    assert!(bench.outbox.is_open());
}

#[test]
fn what_is_given_up_after_it_was_sent_is_uncertain_and_the_next_epoch_ends_this_one() {
    let mut bench = Bench::open();
    bench.push('a');
    assert_eq!(bench.next(), "a as 1-0-0 at 0");
    bench.wait(Duration::from_secs(5));
    bench.push('b');
    assert_eq!(bench.next(), "b as 1-1-0 at 5");
    bench.wait(Duration::from_secs(5));
    let given_up = bench.outbox.expire(bench.now);
    assert_eq!(given_up, [GivenUp { ticket: 'a', uncertain: true, is_stored: false }]);
    assert!(bench.outbox.is_closed());
    bench.outbox.open(Opening::Plain);
    assert_eq!(bench.next(), "2-open");
    // it came after all
    assert_eq!(bench.outbox.applied(place(0)), None);
    bench.outbox.opened(7, 2);
    // what had been sent and did not come until the new one opened never does: it is sent anew
    assert_eq!(bench.next(), "b as 2-0-0 at 5");
}

#[test]
fn what_was_never_sent_is_certainly_not_registered() {
    let mut outbox = Outbox::new(7, OutboxOptions::default());
    outbox.push('a', Bytes::new(), None, Instant::ORIGIN);
    let given_up = outbox.expire(Instant::ORIGIN + Duration::from_secs(10));
    assert_eq!(given_up, [GivenUp { ticket: 'a', uncertain: false, is_stored: false }]);
}

#[test]
fn what_is_stored_and_not_seen_is_given_up_in_time_like_all_others() {
    let mut bench = Bench::open();
    bench.push('a');
    bench.push('b');
    assert_eq!(bench.next(), "a as 1-0-0 at 0");
    assert_eq!(bench.next(), "b as 1-1-0 at 0");
    bench.outbox.stored(key(0, 0));
    bench.wait(Duration::from_secs(10));
    let expected = [('a', true), ('b', false)].map(|(ticket, is_stored)| GivenUp {
        ticket,
        uncertain: true,
        is_stored,
    });
    assert_eq!(bench.outbox.expire(bench.now), expected);
}

#[test]
fn a_writer_that_is_not_known_any_more_opens_again() {
    let mut bench = Bench::open();
    bench.push('a');
    assert_eq!(bench.next(), "a as 1-0-0 at 0");
    bench.outbox.void(place(0));
    assert!(bench.outbox.is_closed());
    bench.outbox.open(Opening::Plain);
    assert_eq!(bench.next(), "2-open");
    bench.outbox.opened(7, 2);
    assert_eq!(bench.next(), "a as 2-0-0 at 0");
}

#[test]
fn so_many_are_on_their_way_and_no_more() {
    let options = OutboxOptions { max_sent: 2, max_sent_bytes: 3, ..OutboxOptions::default() };
    let mut bench = Bench::open();
    bench.outbox.options = options;
    for ticket in ['a', 'b', 'c'] {
        bench.push(ticket);
    }
    bench.outbox.push('d', Bytes::from_static(b"dddd"), None, bench.now);
    assert_eq!(bench.next(), "a as 1-0-0 at 0");
    assert_eq!(bench.next(), "b as 1-1-0 at 0");
    assert_eq!(bench.next(), "nothing");
    bench.outbox.applied(place(0));
    assert_eq!(bench.next(), "c as 1-2-0 at 0");
    bench.outbox.applied(place(1));
    assert_eq!(bench.next(), "nothing", "it is too large beside another");
    bench.outbox.applied(place(2));
    assert_eq!(bench.next(), "d as 1-3-0 at 0", "and alone it goes always");
}

#[test]
fn a_fence_goes_out_like_an_opening_until_it_is_seen_refused_or_given_up() {
    let mut bench =
        Bench { outbox: Outbox::new(7, OutboxOptions::default()), now: Instant::ORIGIN };
    bench.outbox.open(Opening::Fence(5));
    assert_eq!(bench.next(), "Fence(5)");
    assert_eq!(bench.next(), "nothing");
    let opening = Key { place: place(0), is_opening: true, round: 0 };
    bench.outbox.failed(opening, bench.now);
    bench.wait(Duration::from_millis(100));
    let again = bench.publish().expect("a retry");
    assert_eq!((again.message.body, &*again.id), (Body::Fence(5), "0000000000000007-1-open"));
    assert!(!bench.outbox.refused(7, 2) && !bench.outbox.refused(8, 1), "that of another");
    assert!(bench.outbox.refused(7, 1) && bench.outbox.is_closed());
    assert!(!bench.outbox.refused(7, 1), "once");
    bench.outbox.open(Opening::Fence(9));
    assert_eq!(bench.next(), "Fence(9)");
    bench.wait(Duration::from_secs(10));
    assert!(bench.outbox.expire(bench.now).is_empty() && bench.outbox.is_closed());
}

#[test]
fn who_waits_when_another_takes_over_is_given_back_and_nothing_of_it_goes_out_again() {
    let mut bench = Bench::open();
    "abc".chars().for_each(|it| bench.push(it));
    assert_eq!(bench.next(), "a as 1-0-0 at 0");
    bench.outbox.stored(key(0, 0));
    assert_eq!(bench.next(), "b as 1-1-0 at 0");
    assert_eq!(bench.outbox.applied(place(0)), Some('a'));
    assert_eq!(bench.outbox.fenced(), ['b', 'c']);
    assert!(bench.outbox.is_closed() && bench.outbox.is_empty());
    bench.outbox.void(place(1));
    bench.outbox.failed(key(1, 0), bench.now);
    assert_eq!(bench.next(), "nothing");
    // while it opens itself, the stream decides which of the two comes first
    bench.outbox.open(Opening::Fence(9));
    assert!(bench.outbox.fenced().is_empty());
    assert_eq!(bench.next(), "Fence(9)");
}

#[test]
fn what_is_to_be_sent_by_a_time_is_sent_by_then_or_never() {
    let second = Duration::from_secs(1);
    let mut bench = Bench::open();
    bench.push('a');
    assert_eq!(bench.next(), "a as 1-0-0 at 0");
    bench.outbox.failed(key(0, 0), bench.now);
    for ticket in ['b', 'c'] {
        let until = Some(bench.now + second * 3);
        bench.outbox.push(ticket, Bytes::from(vec![ticket as u8]), until, bench.now);
    }
    bench.push('d');
    bench.wait(second * 2);
    assert!(bench.outbox.late(bench.now).is_empty());
    // they wait behind one that is sent again, whose answer does not come
    assert_eq!(bench.next(), "a as 1-0-0 at 0");
    assert_eq!(bench.next(), "nothing");
    bench.wait(second);
    assert_eq!(bench.outbox.deadline(), Some(bench.now));
    assert_eq!(bench.outbox.applied(place(0)), Some('a'));
    assert_eq!(bench.next(), "nothing", "not a moment later, also where nobody has asked for it");
    assert_eq!(bench.outbox.late(bench.now), ['b', 'c']);
    assert_eq!(bench.next(), "d as 1-1-0 at 3");
    assert!(bench.outbox.late(bench.now + second).is_empty());
}

#[test]
fn what_was_sent_by_its_time_goes_on() {
    let mut bench = Bench::open();
    let until = Some(bench.now + Duration::from_secs(1));
    bench.outbox.push('a', Bytes::from_static(b"a"), until, bench.now);
    assert_eq!(bench.next(), "a as 1-0-0 at 0");
    bench.outbox.failed(key(0, 0), bench.now);
    bench.wait(Duration::from_secs(2));
    assert!(bench.outbox.late(bench.now).is_empty(), "it may be in the stream");
    assert_eq!(bench.next(), "a as 1-0-0 at 0");
    // in the next epoch it is certain that it is not, and it does not hold up what is behind it
    bench.push('b');
    bench.outbox.close();
    bench.outbox.open(Opening::Plain);
    assert_eq!(bench.next(), "2-open");
    bench.outbox.opened(7, 2);
    assert_eq!(bench.outbox.late(bench.now), ['a']);
    assert_eq!(bench.next(), "b as 2-0-0 at 2");
}

#[test]
fn what_can_never_be_stored_holds_nothing_up() {
    let mut bench = Bench::open();
    bench.push('a');
    bench.push('b');
    assert_eq!(bench.next(), "a as 1-0-0 at 0");
    assert_eq!(bench.next(), "b as 1-1-0 at 0");
    assert_eq!(bench.outbox.impossible(key(0, 0)), Some('a'));
    assert_eq!(bench.outbox.impossible(key(0, 0)), None, "once");
    // its number is missing in this epoch: what was sent behind it is void
    assert!(bench.outbox.is_closed());
    bench.outbox.open(Opening::Plain);
    assert_eq!(bench.next(), "2-open");
    bench.outbox.opened(7, 2);
    assert_eq!(bench.next(), "b as 2-0-0 at 0");
}

#[test]
fn what_is_impossible_of_an_epoch_that_is_over_ends_no_other() {
    let mut bench = Bench::open();
    bench.push('a');
    assert_eq!(bench.next(), "a as 1-0-0 at 0");
    bench.outbox.close();
    bench.outbox.open(Opening::Fence(0));
    assert_eq!(bench.outbox.impossible(key(0, 0)), Some('a'));
    assert!(!bench.outbox.is_closed());
}
