//! Why a request was not done, in words: what a program is told in English, a person is told in the language of the page.

use super::words::Text;
use crate::serve::problem::Problem;

/// The sentence for a kind of problem; none where the title of the page says as much.
pub fn problem(problem: &Problem) -> Option<Text> {
    Some(match problem.kind.strip_prefix("problems/")? {
        "not-found" => Text::NothingHere,
        "invalid" | "parameter" | "bad-request" => Text::ProblemInvalid,
        "conflict" => Text::ProblemConflict,
        "stale" | "precondition" => Text::ProblemStale,
        "too-many" => Text::ProblemTooMany,
        "busy" => Text::MistakeBusy,
        "store" => Text::ProblemStore,
        "internal" => Text::ProblemInternal,
        "not-watching" => Text::ProblemNotWatching,
        "no-live-view" => Text::ProblemNoLiveView,
        "forbidden" | "no-account" => Text::ProblemForbidden,
        "origin" | "cross-site" => Text::ProblemOrigin,
        "host" => Text::ProblemHost,
        "too-large" => Text::ProblemTooLarge,
        "timeout" => Text::ProblemTimeout,
        "method" => Text::ProblemMethod,
        "wrong-login" => Text::MistakeLogin,
        "wrong-code" => Text::MistakeCode,
        "wrong-password" => Text::ProblemPassword,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn every_problem_that_a_form_may_meet_has_its_sentence() {
        let all = [
            Problem::not_found("x"),
            Problem::bad_request("x"),
            Problem::invalid("/x", "x"),
            Problem::parameter("x", "x"),
            Problem::conflict("x"),
            Problem::too_many("x", 1),
            Problem::busy("x"),
            Problem::forbidden("edit"),
            Problem::internal(),
        ];
        for one in all {
            assert!(problem(&one).is_some(), "{}", one.kind);
        }
        assert_eq!(problem(&Problem::new(StatusCode::IM_A_TEAPOT, "teapot", "x")), None);
    }
}
