//! Signs that a device is about to lock, or has locked.

/// What a refused answer says about locking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockSign {
    /// It is locked; in words for the operator, cleaned.
    Locked(String),
    /// So many attempts are left before it locks.
    AttemptsLeft(u32),
}

impl LockSign {
    /// Whether to stop trying: it is locked, or at most three attempts are left, which belong to the owner.
    pub fn says_stop(&self) -> bool {
        !matches!(self, LockSign::AttemptsLeft(left) if *left > 3)
    }

    /// In words for the operator.
    pub fn sentence(&self) -> String {
        match self {
            LockSign::Locked(why) => why.clone(),
            LockSign::AttemptsLeft(left) => format!("the device locks after {left} more refused logins"),
        }
    }
}

/// Looks for signs of a lock-out in a refused answer's text: Hikvision's `lockStatus`, `unlockTime` and
/// `retryLoginTime`, Dahua's "still have N attempt(s)", the word "locked", Reolink's "frequent logins".
pub fn lock_sign(answer: &[u8]) -> Option<LockSign> {
    let text = String::from_utf8_lossy(answer.get(..answer.len().min(64 * 1024)).unwrap_or_default());
    let lower = text.to_ascii_lowercase();
    let seconds = number_after(&lower, "unlocktime").filter(|&s| s > 0);
    let status = field_after(&lower, "lockstatus");
    if status.as_deref().is_some_and(|s| s.starts_with("lock")) || (status.is_none() && seconds.is_some()) {
        let until = seconds.map_or(String::new(), |s| format!(" for {s} s"));
        return Some(LockSign::Locked(format!("the device says it is locked{until}")));
    }
    if let Some(left) = number_after(&lower, "still have").or_else(|| number_after(&lower, "retrylogintime")) {
        return Some(LockSign::AttemptsLeft(left));
    }
    if let Some(left) = number_before(&lower, "attempt") {
        return Some(LockSign::AttemptsLeft(left));
    }
    let is_word = |word: &str| {
        lower.match_indices(word).any(|(at, _)| {
            !lower.get(..at).is_some_and(|b| b.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
                && !lower.get(at + word.len()..).is_some_and(|a| a.starts_with(|c: char| c.is_ascii_alphanumeric()))
        })
    };
    let negated = lower.contains("not locked");
    let says = (is_word("locked") && !negated) || lower.contains("frequent login") || lower.contains("too many login");
    says.then(|| LockSign::Locked("the device says it is locked".to_owned()))
}

/// The word after a name, past `=`, `:`, `>`, quotes and blanks.
fn field_after(text: &str, name: &str) -> Option<String> {
    let rest = text.get(text.find(name)? + name.len()..)?;
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '=' | ':' | '>' | '"' | '\''));
    let word: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    (!word.is_empty()).then_some(word)
}

fn number_after(text: &str, name: &str) -> Option<u32> {
    field_after(text, name)?.parse().ok()
}

/// The number right before a word, as in "2 attempts left"; only where the text says that they are left.
fn number_before(text: &str, name: &str) -> Option<u32> {
    if !["left", "remain"].iter().any(|w| text.contains(w)) {
        return None;
    }
    let before = text.get(..text.find(name)?)?.trim_end();
    let digits = before.bytes().rev().take_while(u8::is_ascii_digit).count();
    before.get(before.len() - digits..)?.parse().ok()
}
