//! Answers to datagrams, and to what is said on connections of protocols that are not read.

use std::net::IpAddr;
use std::time::Duration;

use super::Local;
use crate::kit::format::Question;

/// So many bytes of a question that stand in its answer are taken for its number, which the answer repeats.
const NUMBER: usize = 8;

/// The answers to the recorded question that is most like this one; none where none is.
pub(super) fn answers(
    questions: &[Question],
    question: &[u8],
    local: &Local,
    device: Option<IpAddr>,
) -> Vec<(Duration, Vec<u8>)> {
    let alike = |known: &&Question| (likeness(&known.ask.0, question), known.ask.0.len() == question.len());
    let Some(known) = questions.iter().rev().max_by_key(alike).filter(|k| likeness(&k.ask.0, question) > 0) else {
        return Vec::new();
    };
    let replied = known.answers.iter().map(|answer| {
        let bytes = repeat_numbers(&answer.bytes.0, &known.ask.0, question);
        (Duration::from_millis(answer.after_ms.min(10_000)), local.here(&bytes, device))
    });
    replied.collect()
}

/// How much two questions have in common, of a thousand: bytes at the same place, from both ends.
fn likeness(known: &[u8], asked: &[u8]) -> usize {
    let front = known.iter().zip(asked).filter(|(a, b)| a == b).count();
    let back = known.iter().rev().zip(asked.iter().rev()).filter(|(a, b)| a == b).count();
    front.max(back) * 1000 / known.len().max(asked.len()).max(1)
}

/// An answer in which what it repeats of its question is that of another one.
fn repeat_numbers(answer: &[u8], known: &[u8], asked: &[u8]) -> Vec<u8> {
    let mut out = answer.to_vec();
    if known.len() != asked.len() {
        return out;
    }
    let mut at = 0;
    while let Some((own, new)) = known.get(at..).zip(asked.get(at..)) {
        let differs = own.iter().zip(new).position(|(a, b)| a != b);
        let Some(start) = differs.map(|offset| at + offset) else { break };
        // Bytes may be the same by chance within a number.
        let end = end_of_difference(known, asked, start);
        let (from, to) = (known.get(start..end).unwrap_or_default(), asked.get(start..end).unwrap_or_default());
        if from.len() >= NUMBER / 2
            && let Some(found) = out.windows(from.len()).position(|w| w == from)
            && let Some(place) = out.get_mut(found..found + from.len())
        {
            place.copy_from_slice(to);
        }
        at = end;
    }
    out
}

fn end_of_difference(known: &[u8], asked: &[u8], start: usize) -> usize {
    let mut end = start;
    let mut same = 0;
    for (at, (a, b)) in known.iter().zip(asked).enumerate().skip(start) {
        if a == b {
            same += 1;
            if same > 3 {
                break;
            }
        } else {
            (end, same) = (at + 1, 0);
        }
    }
    end
}
