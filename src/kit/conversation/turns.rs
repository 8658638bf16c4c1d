//! Protocols of which nothing is known but that one side asks and the other answers.

use crate::kit::format::{Blob, Question, Timed};
use crate::model::recording::{Connected, Side};

use super::flow::ms;

/// The longest question and the longest answer that is kept.
const MOST: usize = 64 << 10;

/// What was asked on a connection, each with what came before the next question.
pub(super) fn of(connection: &Connected) -> Vec<Question> {
    let mut turns: Vec<(std::time::Duration, Question)> = Vec::new();
    for part in &connection.parts {
        match (part.from, turns.last_mut()) {
            // A question that is written in parts.
            (Side::Scanner, Some((at, question))) if question.answers.is_empty() => {
                question.ask.0.extend_from_slice(&part.bytes);
                *at = part.at;
            }
            (Side::Scanner, _) => {
                turns.push((part.at, Question { ask: Blob(part.bytes.clone()), answers: Vec::new() }))
            }
            (Side::Device, Some((at, question))) => {
                question.answers.push(Timed { after_ms: ms(*at, part.at), bytes: Blob(part.bytes.clone()) });
            }
            // Whoever speaks first was not asked.
            (Side::Device, None) => {}
        }
    }
    let length = |question: &Question| question.answers.iter().map(|answer| answer.bytes.0.len()).sum::<usize>();
    let is_kept = |q: &Question| !q.answers.is_empty() && q.ask.0.len() <= MOST && length(q) <= MOST;
    turns.into_iter().map(|(_, question)| question).filter(is_kept).collect()
}
