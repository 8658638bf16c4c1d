//! nginx before the program, as docs/serve.md shows it: below a path, over a socket in the file system.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{Program, answers, free_port};

pub const NGINX: &str = "/usr/sbin/nginx";

/// What nginx makes of a path on its way to the program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Handing {
    /// `/cameras/` is handed on as it is.
    Whole,
    /// `/cameras/` is taken off.
    Below,
}

/// nginx that hands on what comes below `/cameras/`.
pub struct Proxy {
    /// The address of the first page, with a slash at its end.
    pub root: String,
    _nginx: Program,
    _folder: TempDir,
}

impl Proxy {
    /// One that hands what it gets to a socket in the file system.
    pub async fn to(socket: &Path, handing: Handing) -> Proxy {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let (at, backend) = (folder.path().display(), socket.display());
        let path = if handing == Handing::Below { "/" } else { "" };
        let config = format!(
            "pid {at}/pid; error_log {at}/error.log; daemon off; master_process off; events {{}}\n\
             http {{ access_log off; client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f; \
             uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
             map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}\n\
             server {{ listen 127.0.0.1:{port}; location /cameras/ {{ proxy_pass http://unix:{backend}:{path}; \
             proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_buffering off; \
             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; \
             proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; }} }} }}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let nginx = Command::new(NGINX).arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let nginx = Program(nginx.unwrap());
        for _ in 0..200 {
            if answers(("127.0.0.1", port)).await {
                return Proxy { root: format!("http://127.0.0.1:{port}/cameras/"), _nginx: nginx, _folder: folder };
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nginx does not listen");
    }
}
