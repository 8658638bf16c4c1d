//! What messages are grouped by, as it stands in [`Delivery::group`](crate::model::memory::Delivery::group).

use std::fmt;

const MORE_PROBLEMS: &str = "more problems";

/// Why events stand in one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    /// They came within a short time: rule and site.
    News(usize, String),
    /// They were collected until a time of day: rule and site.
    Digest(usize, String),
    /// They were told before and have not ended: rule and site.
    Reminder(usize, String),
    /// There were too many messages.
    More,
    /// There were too many messages about problems and their ends.
    MoreProblems,
}

impl Group {
    /// Whether it collects what a channel could not get within its limit.
    pub fn is_summary(&self) -> bool {
        matches!(self, Group::More | Group::MoreProblems)
    }

    /// The group of that name. What is no group's counts as news.
    pub fn parse(text: &str) -> Group {
        if text == MORE_PROBLEMS {
            return Group::MoreProblems;
        }
        let mut words = text.splitn(3, ' ');
        let kind = words.next().unwrap_or_default();
        let rule = words.next().and_then(|word| word.parse().ok()).unwrap_or_default();
        let site = words.next().unwrap_or_default().to_owned();
        match kind {
            "digest" => Group::Digest(rule, site),
            "reminder" => Group::Reminder(rule, site),
            "more" => Group::More,
            _ => Group::News(rule, site),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Group::News(rule, site) => write!(f, "news {rule} {site}"),
            Group::Digest(rule, site) => write!(f, "digest {rule} {site}"),
            Group::Reminder(rule, site) => write!(f, "reminder {rule} {site}"),
            Group::More => f.write_str("more"),
            Group::MoreProblems => f.write_str(MORE_PROBLEMS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_reads_back_whatever_the_site_is_called() {
        for site in ["", "North", "Hall 3 west", " more"] {
            for group in [Group::News(1, site.into()), Group::Digest(2, site.into()), Group::Reminder(3, site.into())] {
                assert_eq!(Group::parse(&group.to_string()), group);
            }
        }
        for group in [Group::More, Group::MoreProblems] {
            assert_eq!(Group::parse(&group.to_string()), group);
        }
    }
}
