//! What the two sides of a connection are configured with.

use bytes::Bytes;
use hat_core::cotp::{Answer, Config, Policy, Receive, Selector, TpduSize};
use hat_tests::simulation::Random;

use super::{HANDSHAKE, MAX_MESSAGE, MAX_QUEUED};

/// What a caller and a called side work with.
pub(super) fn any(random: &mut Random) -> [Config; 2] {
    let selector = Selector::from(random.within(1..=2) as u16);
    let called = random.pick(&[None, Some(()), Some(())]).map(|()| selector.clone());
    let is_raw = random.chance(20);
    let policies =
        [(); 2].map(|()| random.pick(&[Policy::Interop, Policy::Interop, Policy::Strict]));
    // larger ones are not of class 0, which a strict side insists on
    let most = if policies.contains(&Policy::Strict) { 2048 } else { 65531 };
    let mut config = |policy, source_reference| Config {
        policy,
        raw_variable_part: is_raw.then(|| raw(random)),
        receive: random.pick(&[Receive::Whole, Receive::Parts]),
        answer: random.pick(&[Answer::Automatic, Answer::Automatic, Answer::Manual]),
        offered_size: random
            .chance(80)
            .then(|| TpduSize::new(random.within(128..=most) as u16))
            .flatten(),
        accepted_size: TpduSize::new(random.within(128..=most) as u16).unwrap_or_default(),
        preferred_size: random.chance(50),
        expedited: random.chance(50),
        disconnect_on_close: random.chance(40),
        half_close: random.chance(70),
        deliver_empty: random.chance(70),
        max_tsdu: random.pick(&[5_000, MAX_MESSAGE, MAX_MESSAGE]),
        max_queued: random.pick(&[300, 5_000, MAX_QUEUED]),
        handshake_timeout: HANDSHAKE,
        connect_data: Bytes::new(),
        source_reference,
        ..Config::default()
    };
    let caller = Config { remote_selector: Some(Selector::from(1)), ..config(policies[0], 7) };
    let called = Config { local_selector: called, ..config(policies[1], 9) };
    [caller, called]
}

/// Octets that are no parameters, as RDP has them.
fn raw(random: &mut Random) -> Bytes {
    (0..random.size(100)).map(|_| random.any() as u8).collect()
}
