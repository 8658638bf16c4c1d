//! Logins as they are given: `USER:PASS` on the command line, in the environment or line by line in a file. What is
//! wrong with one is said without showing it.

use ipnetwork::IpNetwork;

use crate::model::Credential;

use crate::model::problem::Problem;

/// Longer ones no device takes.
const LONGEST: usize = 256;

/// One `USER:PASS`; the password may be empty and may hold colons.
///
/// # Errors
/// When the colon or the user name is missing or a character is none a login can hold.
pub fn user_and_password(text: &str) -> Result<Credential, Problem> {
    let Some((user, password)) = text.split_once(':') else {
        return Err(Problem::new("a login lacks the colon between user name and password").hint("write USER:PASS"));
    };
    if user.is_empty() {
        return Err(Problem::new("a login lacks the user name before the colon").hint("write USER:PASS"));
    }
    checked(user, password)
}

/// A login of these two.
///
/// # Errors
/// When one is too long or holds a control character.
pub fn checked(user: &str, password: &str) -> Result<Credential, Problem> {
    if user.len() > LONGEST || password.len() > LONGEST {
        return Err(Problem::new(format!("a user name or password is longer than {LONGEST} bytes")));
    }
    if user.chars().chain(password.chars()).any(char::is_control) {
        return Err(Problem::new("a user name or password holds a control character"));
    }
    Ok(Credential::new(user, password))
}

/// One login a line; empty lines and lines that begin with `#` are passed over.
///
/// # Errors
/// Those of [`user_and_password`], with `place` and the line in front.
pub fn lines(text: &str, place: &str) -> Result<Vec<Credential>, Problem> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .map(|(i, line)| {
            user_and_password(line.trim_end_matches('\r')).map_err(|problem| problem.at(format!("{place}:{}", i + 1)))
        })
        .collect()
}

/// The network a login is meant for: a network or one address.
///
/// # Errors
/// When it is neither.
pub fn network(text: &str) -> Result<IpNetwork, Problem> {
    text.parse().map_err(|_| {
        Problem::new(format!("`{}` is not a network", crate::text::clean(text)))
            .hint("write 192.168.1.0/24 or an address")
    })
}

/// A MAC address or the beginning of one, as lower-case digits without separators.
///
/// # Errors
/// When it is neither, or not a whole number of bytes.
pub fn mac_prefix(text: &str) -> Result<String, Problem> {
    let digits: String =
        text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect::<String>().to_ascii_lowercase();
    let whole = matches!(digits.len(), 2 | 4 | 6 | 8 | 10 | 12);
    if whole && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(digits);
    }
    Err(Problem::new(format!("`{}` is not a MAC address or the beginning of one", crate::text::clean(text)))
        .hint("write 44:19:b6 for a maker's devices or 44:19:b6:00:00:01 for one; quote it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_parted_at_its_first_colon() {
        let login = user_and_password("admin:a:b").unwrap();
        assert_eq!((login.user.as_str(), login.password.expose()), ("admin", "a:b"));
        assert_eq!(user_and_password("admin:").unwrap().password.expose(), "");
        let read = lines("# cameras\n\nadmin:one\r\nroot: two \n", "logins").unwrap();
        assert_eq!(read.iter().map(|l| l.password.expose()).collect::<Vec<_>>(), ["one", " two "]);
    }

    #[test]
    fn what_is_wrong_is_said_without_showing_it() {
        let said = [
            user_and_password("hunter2").unwrap_err(),
            user_and_password(":hunter2").unwrap_err(),
            user_and_password("admin:hunter2\u{7}").unwrap_err(),
            user_and_password(&format!("admin:{}", "hunter2".repeat(64))).unwrap_err(),
            lines("admin:ok\nhunter2", "logins.txt").unwrap_err(),
            mac_prefix("44:19:b").unwrap_err(),
            network("10.0.0.0/40").unwrap_err(),
        ]
        .map(|p| p.to_string().replace("\nhint: ", " / "));
        assert!(!said.concat().contains("hunter2"));
        insta::assert_snapshot!(said.join("\n"), @r#"
            a login lacks the colon between user name and password / write USER:PASS
            a login lacks the user name before the colon / write USER:PASS
            a user name or password holds a control character
            a user name or password is longer than 256 bytes
            logins.txt:2: a login lacks the colon between user name and password / write USER:PASS
            `44:19:b` is not a MAC address or the beginning of one / write 44:19:b6 for a maker's devices or 44:19:b6:00:00:01 for one; quote it
            `10.0.0.0/40` is not a network / write 192.168.1.0/24 or an address
        "#);
    }

    #[test]
    fn macs_are_read_in_every_notation() {
        for text in ["44:19:B6", "44-19-b6", "4419.b6", "4419b6"] {
            assert_eq!(mac_prefix(text).unwrap(), "4419b6", "{text}");
        }
    }
}
