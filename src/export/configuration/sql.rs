//! Text in statements of SQL, for MariaDB and MySQL.

/// A string literal. Whether a backslash means anything in one depends on the server's `NO_BACKSLASH_ESCAPES`, so none stands
/// there; its character is named by number instead.
pub fn quoted(value: &str) -> String {
    let literal = |part: &str| format!("'{}'", part.replace('\'', "''"));
    if !value.contains('\\') {
        return literal(value);
    }
    let parts: Vec<String> = value.split('\\').map(literal).collect();
    format!("CONCAT({})", parts.join(", CHAR(92 USING utf8mb4), "))
}
