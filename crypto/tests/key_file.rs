//! Key files as an operator meets them: made, read, guarded, damaged.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as tests do")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use forsooth_crypto::Keypair;
use forsooth_crypto::key_file::{CreateError, LoadError, create, load};
use pkcs8::der::pem::PemLabel;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use pkcs8::pkcs5::scrypt;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};
use tempfile::TempDir;

const PASSPHRASE: &str = "señor 🗝 with spaces";

fn keypair() -> Keypair {
    Keypair::from_seed([42; 32])
}

fn temporary() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.pem");
    (folder, path)
}

fn made(passphrase: Option<&str>) -> (TempDir, PathBuf) {
    let (folder, path) = temporary();
    create(&path, &keypair(), passphrase).unwrap();
    (folder, path)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Replaces the content, keeping the file's mode.
fn rewrite(path: &Path, content: impl AsRef<[u8]>) {
    fs::write(path, content).unwrap();
}

/// A key file by hand.
fn with_id(document: &SecretDocument, label: &'static str) -> String {
    let block = document.to_pem(label, LineEnding::LF).unwrap();
    format!("Forsooth-Id: {}\n{}", keypair().id(), *block)
}

fn loads_the_same(path: &Path, passphrase: Option<&str>) -> bool {
    let loaded = load(path, passphrase).unwrap();
    loaded.id() == keypair().id() && loaded.seed() == keypair().seed()
}

#[test]
fn a_plain_key_file_is_read_back() {
    let (_folder, path) = made(None);
    assert!(fs::read_to_string(&path).unwrap().contains("\n-----BEGIN PRIVATE KEY-----\n"));
    assert!(loads_the_same(&path, None));
}

#[test]
fn an_encrypted_key_file_is_read_back_and_shows_nothing_of_the_key() {
    let (_folder, path) = made(Some(PASSPHRASE));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\n-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    let (_, document) = SecretDocument::from_pem(&text).unwrap();
    assert!(!document.as_bytes().windows(8).any(|window| window == [42; 8]));
    assert!(loads_the_same(&path, Some(PASSPHRASE)));
}

#[test]
fn two_encryptions_of_one_key_differ() {
    let (_one, first) = made(Some(PASSPHRASE));
    let (_two, second) = made(Some(PASSPHRASE));
    assert_ne!(fs::read(first).unwrap(), fs::read(second).unwrap());
}

#[test]
fn the_file_is_the_owners_alone_and_so_is_a_folder_made_for_it() {
    let (folder, _) = temporary();
    let path = folder.path().join("a/b/node.pem");
    create(&path, &keypair(), None).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&folder.path().join("a/b")), 0o700);
    assert_eq!(mode(&folder.path().join("a")), 0o700);
    let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing else is left in the folder");
}

#[test]
fn an_existing_folder_is_left_as_it_is() {
    let (folder, path) = temporary();
    set_mode(folder.path(), 0o755);
    create(&path, &keypair(), None).unwrap();
    assert_eq!(mode(folder.path()), 0o755);
    assert!(loads_the_same(&path, None));
}

#[test]
fn nothing_is_ever_overwritten() {
    let (folder, path) = made(None);
    let before = fs::read(&path).unwrap();
    let again = create(&path, &Keypair::from_seed([1; 32]), None);
    assert!(matches!(again, Err(CreateError::AlreadyExists { .. })), "{again:?}");
    assert_eq!(fs::read(&path).unwrap(), before);

    let dangling = folder.path().join("link");
    std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
    let through = create(&dangling, &keypair(), None);
    assert!(matches!(through, Err(CreateError::AlreadyExists { .. })), "{through:?}");
    assert!(!folder.path().join("nowhere").exists());
}

#[test]
fn an_empty_passphrase_is_refused() {
    let (_folder, path) = temporary();
    let made = create(&path, &keypair(), Some(""));
    assert!(matches!(made, Err(CreateError::EmptyPassphrase)), "{made:?}");
    assert!(!path.exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let (_folder, file) = made(None);
    let made = create(&file.join("node.pem"), &keypair(), None).unwrap_err();
    assert!(matches!(made, CreateError::Folder { .. }), "{made}");
    assert!(made.to_string().contains("mkdir -m 700"), "{made}");
}

#[test]
fn a_file_that_others_may_touch_is_refused_with_the_command_that_mends_it() {
    let (_folder, path) = made(None);
    for open in [0o644, 0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o660, 0o777, 0o440] {
        set_mode(&path, open);
        let error = load(&path, None).unwrap_err();
        assert!(matches!(error, LoadError::Exposed { mode, .. } if mode == open), "{error}");
        assert!(error.to_string().contains(&format!("(mode {open:04o})")), "{error}");
        assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())), "{error}");
    }
    for closed in [0o600, 0o400, 0o700] {
        set_mode(&path, closed);
        assert!(loads_the_same(&path, None), "{closed:o}");
    }
}

#[test]
fn what_is_not_a_file_is_told_apart() {
    let (folder, path) = temporary();
    assert!(matches!(load(&path, None), Err(LoadError::Missing { .. })));
    assert!(matches!(load(folder.path(), None), Err(LoadError::NotAFile { .. })));
    assert!(matches!(load(Path::new("/dev/null"), None), Err(LoadError::NotAFile { .. })));
}

#[test]
fn a_large_file_is_not_read() {
    let (_folder, path) = made(None);
    let key = fs::read_to_string(&path).unwrap();
    rewrite(&path, key.clone() + &"\n".repeat(16 * 1024 - key.len()));
    assert!(!matches!(load(&path, None), Err(LoadError::TooLarge { .. })), "just fits");
    rewrite(&path, key.clone() + &"\n".repeat(16 * 1024 + 1 - key.len()));
    assert!(matches!(load(&path, None), Err(LoadError::TooLarge { .. })));
}

#[test]
fn passphrases_missing_unused_and_wrong_are_told_apart() {
    let (_one, plain) = made(None);
    let (_two, sealed) = made(Some(PASSPHRASE));
    assert!(matches!(load(&plain, Some("x")), Err(LoadError::PassphraseUnused { .. })));
    assert!(matches!(load(&sealed, None), Err(LoadError::PassphraseNeeded { .. })));
    for wrong in ["", "x", "señor 🗝 with space"] {
        assert!(matches!(load(&sealed, Some(wrong)), Err(LoadError::WrongPassphrase { .. })));
    }
}

#[test]
fn a_file_cut_anywhere_is_corrupt() {
    for passphrase in [None, Some(PASSPHRASE)] {
        let (_folder, path) = made(passphrase);
        let whole = fs::read(&path).unwrap();
        // Only the last newline is not needed.
        for length in 0..whole.len() - 1 {
            rewrite(&path, &whole[..length]);
            let error = load(&path, passphrase).unwrap_err();
            assert!(matches!(error, LoadError::Corrupt { .. }), "{length}: {error}");
        }
    }
}

#[test]
fn no_flipped_bit_turns_a_plain_key_into_another() {
    let (_folder, path) = made(None);
    let text = fs::read_to_string(&path).unwrap();
    let (_, document) = SecretDocument::from_pem(&text).unwrap();
    for bit in 0..document.as_bytes().len() * 8 {
        let mut broken = document.as_bytes().to_vec();
        broken[bit / 8] ^= 1 << (bit % 8);
        let Ok(broken) = SecretDocument::try_from(broken) else {
            continue;
        };
        rewrite(&path, with_id(&broken, PrivateKeyInfoRef::PEM_LABEL));
        assert!(load(&path, None).is_err(), "bit {bit}");
    }
}

#[test]
fn no_flipped_byte_turns_an_encrypted_key_into_another() {
    let (_folder, path) = made(Some(PASSPHRASE));
    let text = fs::read_to_string(&path).unwrap();
    let (_, document) = SecretDocument::from_pem(&text).unwrap();
    let length = document.as_bytes().len();
    // The last places are the ciphertext; flips in it or in the IV garble a block and shift the next.
    for place in (length - 140..length).step_by(13) {
        let mut broken = document.as_bytes().to_vec();
        broken[place] ^= 1;
        let Ok(broken) = SecretDocument::try_from(broken) else {
            continue;
        };
        rewrite(&path, with_id(&broken, EncryptedPrivateKeyInfoRef::PEM_LABEL));
        assert!(load(&path, Some(PASSPHRASE)).is_err(), "byte {place}");
    }
}

#[test]
fn other_content_is_corrupt() {
    let (_folder, path) = made(None);
    let mislabelled = fs::read_to_string(&path).unwrap().replace("PRIVATE KEY", "PUBLIC KEY");
    let contents: [&[u8]; 5] =
        [b"", b"\xff\xfe", b"ssh-ed25519 AAAA", mislabelled.as_bytes(), &[b'-'; 4000]];
    for content in contents {
        rewrite(&path, content);
        assert!(matches!(load(&path, None), Err(LoadError::Corrupt { .. })));
    }
}

/// As made by `openssl genpkey -algorithm ed25519`.
const BARE: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEICoqKioqKioqKioqKioqKioqKioqKioqKioqKioqKioq\n\
    -----END PRIVATE KEY-----\n";

#[test]
fn a_key_without_an_id_is_refused_and_with_its_id_is_read() {
    let (_folder, path) = made(None);
    rewrite(&path, BARE);
    let error = load(&path, None).unwrap_err();
    assert!(matches!(error, LoadError::NoId { .. }), "{error}");
    rewrite(&path, format!("Bag Attributes\nForsooth-Id: {}\n{BARE}", keypair().id()));
    assert!(loads_the_same(&path, None));
    let other = Keypair::from_seed([43; 32]).id();
    for id in [other.to_string(), "12".to_owned()] {
        rewrite(&path, format!("Forsooth-Id: {id}\n{BARE}"));
        assert!(matches!(load(&path, None), Err(LoadError::Corrupt { .. })));
    }
}

/// A well-formed encrypted file with a chosen key derivation and no sense inside.
fn write_sealed(path: &Path, parameters: Parameters) {
    let sealed = EncryptedPrivateKeyInfoRef {
        encryption_algorithm: parameters.into(),
        encrypted_data: pkcs8::der::asn1::OctetStringRef::new(&[7; 96]).unwrap(),
    };
    let document = SecretDocument::try_from(&sealed).unwrap();
    rewrite(path, with_id(&document, EncryptedPrivateKeyInfoRef::PEM_LABEL));
}

#[test]
fn a_file_cannot_make_us_spend_gigabytes_or_hours() {
    let (_folder, path) = made(None);
    for (log_n, r, p) in [(18, 8, 1), (40, 8, 1), (14, 1000, 1), (17, 8, 9), (10, 8, 60_000)] {
        let cost = scrypt::Params::new(log_n, r, p).unwrap();
        write_sealed(
            &path,
            Parameters::generate_scrypt_aes256cbc(cost, &[0; 16], [0; 16]).unwrap(),
        );
        let error = load(&path, Some("x")).unwrap_err();
        assert!(matches!(error, LoadError::CostlyDerivation { .. }), "{log_n} {r} {p}: {error}");
    }
    let mut parameters =
        Parameters::generate_pbkdf2_sha256_aes256cbc(1, &[0; 16], [0; 16]).unwrap();
    if let Kdf::Pbkdf2(pbkdf2) = &mut parameters.kdf {
        pbkdf2.iteration_count = u32::MAX;
    }
    write_sealed(&path, parameters);
    assert!(matches!(load(&path, Some("x")), Err(LoadError::CostlyDerivation { .. })));
}

#[test]
fn a_derivation_without_any_cost_does_not_panic() {
    let (_folder, path) = made(None);
    for (n, r, p) in [(0, 8, 1), (1, 8, 1), (3, 8, 1), (16, 0, 1), (16, 8, 0)] {
        let cost = scrypt::Params::new(4, 8, 1).unwrap();
        let mut parameters =
            Parameters::generate_scrypt_aes256cbc(cost, &[0; 16], [0; 16]).unwrap();
        if let Kdf::Scrypt(scrypt) = &mut parameters.kdf {
            (scrypt.cost_parameter, scrypt.block_size, scrypt.parallelization) = (n, r, p);
        }
        write_sealed(&path, parameters);
        assert!(load(&path, Some("x")).is_err(), "{n} {r} {p}");
    }
}
