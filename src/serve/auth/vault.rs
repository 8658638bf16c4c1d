//! Logins of devices that were given on the page: sealed by AES-256-GCM under a key that is not in the store, opened for the
//! loop that watches and for nobody else.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::random;
use crate::history::memory::Memory;
use crate::model::memory::Uid;
use crate::model::problem::Problem;
use crate::model::secret::CredentialScope;
use crate::model::{Credential, Device, MacAddr, Secret};
use crate::store::accounts::Actor;
use crate::store::{SealedLogin, SealedScope, Store, StoreError};

/// How what is sealed begins: the way it is sealed.
const VERSION: u8 = 1;
/// Bytes of a key file, at least and at most.
const KEY_BYTES: std::ops::RangeInclusive<u64> = 32..=4096;
/// The credential of systemd that holds the key (systemd.exec(5), LoadCredential).
const CREDENTIAL: &str = "camscan.key";

/// Where a device is, and behind which network card: what a user goes by who confirms that it is itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenAt {
    /// Its address.
    pub ip: IpAddr,
    /// The network card that the link shows; none behind a router.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub mac: Option<MacAddr>,
}

impl SeenAt {
    /// As a device was last seen.
    pub fn of(device: &Device) -> SeenAt {
        SeenAt { ip: device.ip, mac: device.link_mac }
    }
}

impl fmt::Display for SeenAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mac {
            Some(mac) => write!(f, "{} (network card {mac})", self.ip),
            None => write!(f, "{}", self.ip),
        }
    }
}

/// Why the logins of a device are not sent to it though a user has confirmed it.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// It is not where the user saw it.
    #[error("the device is at {0} by now; look at it again")]
    Elsewhere(SeenAt),
    /// Its logins cannot be opened, or not be sealed.
    #[error(transparent)]
    Login(#[from] Problem),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Told of logins before they are used.
pub type Hide = Box<dyn Fn(&[Credential]) + Send + Sync>;

/// The logins, and the way to their key.
#[derive(Default)]
pub struct Vault {
    /// The key's file; none where logins cannot be kept.
    file: Option<PathBuf>,
    /// Whether the file is made where there is none.
    may_make: bool,
    key: Mutex<Option<Arc<LessSafeKey>>>,
    /// The logins as the store held them when they were opened.
    loaded: Mutex<Vec<SealedLogin>>,
    opened: Mutex<Vec<(SealedScope, Credential)>>,
    usable: RwLock<Arc<Vec<Credential>>>,
    hide: Option<Hide>,
}

impl Vault {
    /// Its key is the credential that systemd hands to the service, else a file beside the store, which is made when it is
    /// needed. `hide` is told of every login before it is used, so that no log holds it.
    pub fn new(store: &Path, credentials: Option<&Path>, hide: Hide) -> Vault {
        let handed = credentials.map(|folder| folder.join(CREDENTIAL)).filter(|file| file.is_file());
        let mut beside = store.as_os_str().to_owned();
        beside.push(".key");
        let may_make = handed.is_none();
        let file = Some(handed.unwrap_or_else(|| PathBuf::from(beside)));
        Vault { file, may_make, hide: Some(hide), ..Vault::default() }
    }

    /// Seals a password for a login of this user and these devices. Blocks for as long as a disk takes.
    ///
    /// # Errors
    /// When there is no key, and none can be made.
    pub fn seal(&self, user: &str, password: &Secret, scope: &SealedScope) -> Result<Vec<u8>, Problem> {
        let key = self.key(true)?;
        let nonce = random::bytes::<NONCE_LEN>().map_err(|error| Problem::new(error.to_string()))?;
        let mut sealed = password.expose().as_bytes().to_vec();
        let about = Aad::from(about(user, scope));
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), about, &mut sealed)
            .map_err(|_| Problem::new("the login cannot be sealed"))?;
        Ok([&[VERSION], nonce.as_slice(), sealed.as_slice()].concat())
    }

    /// Opens what was sealed for the same user and devices.
    fn open(&self, login: &SealedLogin) -> Result<Credential, Problem> {
        let closed = || Problem::new(format!("the login of {} cannot be opened", crate::text::clean(&login.user)));
        let key = self.key(false)?;
        let rest = login.sealed.strip_prefix(&[VERSION]).ok_or_else(closed)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN).ok_or_else(closed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| closed())?;
        let mut opened = sealed.to_vec();
        let about = Aad::from(about(&login.user, &login.scope));
        let password = key
            .open_in_place(nonce, about, &mut opened)
            .map_err(|_| closed().hint("it was sealed under another key file; remove the login and add it again"))?;
        let password = std::str::from_utf8(password).map_err(|_| closed())?;
        let mut credential = Credential::new(login.user.as_str(), password);
        credential.scope = CredentialScope {
            network: login.scope.network,
            vendor: login.scope.vendor.clone(),
            mac_prefix: login.scope.mac.clone(),
            ..CredentialScope::default()
        };
        Ok(credential)
    }

    /// Reads what the store holds, and opens it. What cannot be opened is logged and left out. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn load(&self, store: &Store, memory: &Memory) -> Result<(), StoreError> {
        let mut opened = Vec::new();
        let sealed = store.sealed_logins()?;
        for login in sealed.clone() {
            match self.open(&login) {
                Ok(credential) => opened.push((login.scope, credential)),
                Err(problem) => tracing::warn!("{}", problem.message()),
            }
        }
        if let Some(hide) = &self.hide {
            hide(&opened.iter().map(|(_, credential)| credential.clone()).collect::<Vec<_>>());
        }
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = opened;
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = sealed;
        self.bind(memory);
        Ok(())
    }

    /// Brings the logins up to what the store holds, which the command line may have changed, and those of single devices to
    /// what is known of these now. Blocks.
    pub fn follow(&self, store: &Store, memory: &Memory) {
        let is_same = |held: &Vec<SealedLogin>| *held == *self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        match store.sealed_logins().map(|held| is_same(&held)) {
            Ok(false) if self.load(store, memory).is_ok() => {}
            _ => self.bind(memory),
        }
    }

    fn bind(&self, memory: &Memory) {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let usable: Vec<Credential> =
            opened.iter().filter_map(|(scope, credential)| of_device(scope, credential, memory)).collect();
        let mut now = self.usable.write().unwrap_or_else(PoisonError::into_inner);
        if **now != usable {
            *now = Arc::new(usable);
        }
    }

    /// The logins, for scans and checks.
    pub fn logins(&self) -> Arc<Vec<Credential>> {
        self.usable.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The login of each number, as it is recognised in the store.
    pub fn credential(&self, login: &SealedLogin) -> Option<Credential> {
        self.open(login).ok()
    }

    /// A user has seen that a device is the one its logins were given for: they are bound to what shows it to be itself now.
    /// How many there were. `seen` is where the user saw it. Blocks.
    ///
    /// # Errors
    /// When it is elsewhere by now; when the logins cannot be opened, or not be stored.
    pub fn confirm(
        &self,
        store: &Store,
        device: &Uid,
        seen: Option<&SeenAt>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<u64, ConfirmError> {
        let memory = store.memory()?;
        let at = |memory: &Memory| memory.find(device.as_str()).map(|known| SeenAt::of(&known.device));
        let (Some(is_at), Some(anchor)) = (at(&memory), memory.anchor(device)) else { return Ok(0) };
        if seen.is_some_and(|seen| *seen != is_at) {
            return Err(ConfirmError::Elsewhere(is_at));
        }
        let ids = memory.ids_of(device);
        let mut sealed = Vec::new();
        for login in store.sealed_logins()? {
            if !login.scope.device.as_ref().is_some_and(|of| ids.contains(of)) {
                continue;
            }
            let scope = SealedScope { anchor: Some(anchor.clone()), ..login.scope.clone() };
            let opened = self.open(&login)?;
            sealed.push((login.id, self.seal(&login.user, &opened.password, &scope)?));
        }
        // A scan may have seen it elsewhere meanwhile.
        let confirmed = store.update(
            |memory| {
                let by_now = at(memory).filter(|by_now| *by_now != is_at);
                if by_now.is_none() {
                    memory.confirm(device);
                }
                (by_now, Vec::new())
            },
            &(),
        )?;
        if let Some(by_now) = confirmed.value {
            return Err(ConfirmError::Elsewhere(by_now));
        }
        store.anchor_logins(device, &sealed, &anchor, actor, now)?;
        Ok(sealed.len() as u64)
    }

    fn key(&self, make: bool) -> Result<Arc<LessSafeKey>, Problem> {
        let mut known = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = &*known {
            return Ok(key.clone());
        }
        let file = self.file.as_deref().ok_or_else(|| Problem::new("there is no key file for logins of devices"))?;
        let text = match read(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && make && self.may_make => {
                make_file(file).and_then(|()| read(file))
            }
            other => other,
        };
        let text =
            text.map_err(|error| Problem::new(format!("the key file {} cannot be used: {error}", file.display())))?;
        let key = UnboundKey::new(&AES_256_GCM, &Sha256::digest(&text)).map(LessSafeKey::new);
        let key = Arc::new(key.map_err(|_| Problem::new("the key file cannot be used"))?);
        *known = Some(key.clone());
        Ok(key)
    }
}

/// What a sealed password is bound to: whoever can write to the store alone cannot have it sent to other devices.
fn about(user: &str, scope: &SealedScope) -> Vec<u8> {
    let network = scope.network.map(|network| network.to_string());
    let device = scope.device.as_ref().map(|device| device.to_string());
    let anchor = scope.anchor.as_ref().map(|anchor| anchor.to_string());
    let parts = [Some(user), device.as_deref(), network.as_deref(), scope.vendor.as_deref(), scope.mac.as_deref()];
    let part = |part: Option<&str>| part.map_or_else(|| "-;".to_owned(), |part| format!("{}:{part};", part.len()));
    // What an earlier version sealed has no last part.
    let last = anchor.as_deref().map(Some);
    parts.into_iter().chain(last).map(part).collect::<String>().into_bytes()
}

/// A login of one device is for the hosts that are shown to be it by what showed it when the login was given.
fn of_device(scope: &SealedScope, credential: &Credential, memory: &Memory) -> Option<Credential> {
    let Some(uid) = &scope.device else { return Some(credential.clone()) };
    let meant = memory.meant(uid, scope.anchor.as_ref()?)?;
    let scope = CredentialScope { vendor: credential.scope.vendor.clone(), ..meant };
    Some(Credential { scope, ..credential.clone() })
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    std::fs::File::open(file)?.take(KEY_BYTES.end() + 1).read_to_end(&mut text)?;
    if KEY_BYTES.contains(&(text.len() as u64)) {
        Ok(text)
    } else {
        Err(io::Error::other("it has not 32 to 4096 bytes"))
    }
}

fn make_file(file: &Path) -> io::Result<()> {
    let secret = random::secret().map_err(io::Error::other)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut made = options.open(file)?;
    writeln!(made, "{secret}")?;
    made.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Open;

    fn vault(place: &Path) -> Vault {
        Vault::new(&place.join("store.sqlite"), None, Box::new(|_| {}))
    }

    #[test]
    fn what_is_sealed_is_opened_for_the_same_devices_with_the_same_key() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(&place.path().join("store.sqlite"), Open::Create).unwrap();
        let first = vault(place.path());
        let scope = SealedScope { network: "10.0.5.0/24".parse().ok(), ..SealedScope::default() };
        let (secret, now) = (Secret::new("Zwei-Geheimnisse-2"), jiff::Timestamp::UNIX_EPOCH);
        let sealed = first.seal("admin", &secret, &scope).unwrap();
        store.add_sealed_login("admin", &sealed, &scope, &Actor::command_line(), now).unwrap().unwrap();
        // Another process, with the same key file.
        let second = vault(place.path());
        second.load(&store, &Memory::default()).unwrap();
        let logins = second.logins();
        assert_eq!((logins.len(), logins[0].password.expose()), (1, "Zwei-Geheimnisse-2"));
        assert!(logins[0].scope.covers("10.0.5.9".parse().unwrap(), None, None));
        // Bent to other devices, it stays closed.
        let mut bent = store.sealed_logins().unwrap().remove(0);
        assert!(second.open(&bent).is_ok());
        bent.scope.network = None;
        assert!(second.open(&bent).is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let key = place.path().join("store.sqlite.key");
            assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
            // Under another key it stays closed, and the others work on.
            std::fs::remove_file(&key).unwrap();
        }
        let third = vault(place.path());
        third.seal("x", &secret, &SealedScope::default()).unwrap();
        third.load(&store, &Memory::default()).unwrap();
        assert!(third.logins().is_empty());
    }

    #[test]
    fn a_key_handed_by_systemd_is_used_and_none_is_made() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("camscan.key"), [7; 32]).unwrap();
        let vault = Vault::new(&place.path().join("store.sqlite"), Some(place.path()), Box::new(|_| {}));
        vault.seal("x", &Secret::new("y"), &SealedScope::default()).unwrap();
        assert!(!place.path().join("store.sqlite.key").exists());
        std::fs::write(place.path().join("camscan.key"), "short").unwrap();
        let vault = Vault::new(&place.path().join("store.sqlite"), Some(place.path()), Box::new(|_| {}));
        assert!(vault.seal("x", &Secret::new("y"), &SealedScope::default()).is_err());
    }
}
