//! When a message that was not taken is tried again.

use jiff::{SignedDuration, Timestamp};

use crate::model::memory::Delivery;

/// The pauses between the first tries; the last one holds for all further ones.
const PAUSES: [SignedDuration; 7] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(6),
    SignedDuration::from_hours(12),
];

/// How much a pause is longer or shorter by chance, so that those who wait for one receiver do not all come at once.
const JITTER: f64 = 0.2;

/// A message that is older has had its last try. A receiver that is away for as long as this gets every message all the same:
/// the last try is never earlier.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(72);

/// A message that was tried less often has not been on its way for so long: the clock was put forward.
const FEWEST_TRIES: u32 = 6;

/// The longest pause that a receiver can ask for.
const LONGEST_ASKED: SignedDuration = SignedDuration::from_hours(12);

/// When a message is tried again after its last try, the `tries`th, failed at `now`: after 5 s, 1 min, 5 min, 30 min, 2 h, 6 h,
/// then every 12 h, each a fifth more or less by `jitter` (0 to 1). None when it is three days old and was tried
/// six times: it is given up.
pub fn next_try(delivery: &Delivery, now: Timestamp, jitter: f64) -> Option<Timestamp> {
    let is_young = now.duration_since(delivery.created_at) < LONGEST || delivery.tries < FEWEST_TRIES;
    is_young.then(|| after(now, pause(delivery.tries, jitter)))
}

/// The same where the receiver has asked for a pause of its own: not before that is over, and at most 12 h later.
pub fn next_try_asked(
    delivery: &Delivery,
    now: Timestamp,
    jitter: f64,
    asked: Option<SignedDuration>,
) -> Option<Timestamp> {
    let asked = asked.map(|pause| after(now, pause.clamp(SignedDuration::ZERO, LONGEST_ASKED)));
    next_try(delivery, now, jitter).map(|own| asked.map_or(own, |asked| asked.max(own)))
}

/// The pause after so many tries.
pub fn pause(tries: u32, jitter: f64) -> SignedDuration {
    let nth = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX);
    let pause = PAUSES.get(nth).or(PAUSES.last()).copied().unwrap_or_default();
    pause.mul_f64(1.0 - JITTER + 2.0 * JITTER * jitter.clamp(0.0, 1.0))
}

/// A point in time, or the last there is.
pub fn after(now: Timestamp, pause: SignedDuration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::memory::DeliveryState;

    fn delivery(created_at: Timestamp, tries: u32) -> Delivery {
        let (id, channel, group) = ("m".to_owned(), "c".to_owned(), "news 0 ".to_owned());
        let (events, body, state, error) = (vec![1], None, DeliveryState::Waiting, None);
        Delivery { number: 1, id, channel, group, events, body, created_at, due_at: created_at, tries, state, error }
    }

    #[test]
    fn the_pauses_grow_and_end_after_three_days() {
        let at: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        for (jitter, factor) in [(0.0, 0.8), (0.5, 1.0), (1.0, 1.2)] {
            let (mut now, mut delivery) = (at, delivery(at, 0));
            let mut pauses = Vec::new();
            loop {
                delivery.tries += 1;
                let Some(next) = next_try(&delivery, now, jitter) else { break };
                pauses.push(next.duration_since(now).as_secs_f64() / factor);
                now = next;
            }
            assert!(now.duration_since(at) >= LONGEST, "a receiver may be away for three days");
            assert!(now.duration_since(at) < LONGEST + SignedDuration::from_hours(15));
            let first: Vec<f64> = pauses.iter().take(8).map(|pause| pause.round()).collect();
            assert_eq!(first, [5.0, 60.0, 300.0, 1800.0, 7200.0, 21600.0, 43200.0, 43200.0]);
        }
    }

    #[test]
    fn what_the_receiver_asks_for_is_granted_within_bounds() {
        let at: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let wait = |asked: i64| {
            let next = next_try_asked(&delivery(at, 1), at, 0.5, Some(SignedDuration::from_secs(asked))).unwrap();
            next.duration_since(at).as_secs()
        };
        assert_eq!([wait(1), wait(90), wait(i64::MAX), wait(-7)], [5, 90, 43200, 5]);
    }
}
