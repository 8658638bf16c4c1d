//! How protocols begin in which the server speaks first. In those that streams come by it is the client.

/// What such servers say first.
const GREETINGS: [&[u8]; 12] = [
    // RFC 4253 §4.2.
    b"SSH-",
    // FTP (RFC 959 §5.4) and SMTP (RFC 5321 §4.2), ready or not.
    b"220 ",
    b"220-",
    b"421 ",
    b"554 ",
    // POP3 (RFC 1939 §3) and IMAP (RFC 3501 §7.1).
    b"+OK",
    b"* OK",
    b"* PREAUTH",
    // RFC 6143 §7.1.1.
    b"RFB 0",
    // The daemon of rsync.
    b"@RSYNCD:",
    // What a telnet server begins with (RFC 854): DO, WILL.
    b"\xff\xfd",
    b"\xff\xfb",
];

/// Whether what a server said first is the greeting of a protocol that is none of ours.
pub fn is_of_another(first: &[u8]) -> bool {
    GREETINGS.iter().any(|greeting| first.starts_with(greeting))
}

#[cfg(test)]
mod tests {
    use super::is_of_another;

    #[test]
    fn what_greets_is_told_from_what_answers() {
        let greetings: [&[u8]; 6] = [
            b"SSH-2.0-dropbear_2019.78\r\n",
            b"220 camera FTP server ready\r\n",
            b"220-welcome\r\n",
            b"RFB 003.008\n",
            b"\xff\xfd\x01\xff\xfd\x1f",
            b"* OK IMAP4rev1\r\n",
        ];
        for greeting in greetings {
            assert!(is_of_another(greeting), "{:?}", String::from_utf8_lossy(greeting));
        }
        let answers: [&[u8]; 8] = [
            b"RTSP/1.0 200 OK\r\n",
            b"HTTP/1.1 220 OK\r\n",
            b"rtsp/1.0 554 No\r\n",
            b"$\x00\x00\x10",
            b"\xff\xd8\xff\xe0",
            b"\x16\x03\x01",
            b"\x03",
            b"",
        ];
        for answer in answers {
            assert!(!is_of_another(answer), "{:?}", String::from_utf8_lossy(answer));
        }
    }
}
