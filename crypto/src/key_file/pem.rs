//! A keypair as PKCS#8 text, plain or encrypted. No files here.
//!
//! PKCS#8 has had a place for the public key since version 2 (RFC 5958), but OpenSSL 3.0 does not
//! read that version. So the id stands in a line above the PEM block, where RFC 7468 allows any text.

use std::path::Path;

use ed25519::pkcs8::KeypairBytes;
use ed25519_dalek::SigningKey;
use getrandom::SysRng;
use pkcs8::der::pem::PemLabel;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use pkcs8::pkcs5::scrypt;
use pkcs8::{
    DecodePrivateKey, EncodePrivateKey, EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef,
    SecretDocument,
};
use rand_core::TryRng;
use zeroize::Zeroizing;

use super::{CreateError, LoadError};
use crate::{Keypair, NodeId, ParseHexError};

/// Begins the line with the id, above the PEM block.
const ID: &str = "Forsooth-Id: ";

/// scrypt's cost for new files: N = 2^14, r = 8, p = 5, one of OWASP's equally strong settings.
/// OpenSSL refuses to spend more than 32 MiB, so p is what can be raised.
const LOG_N: u8 = 14;
const R: u32 = 8;
const P: u32 = 5;

/// Most memory that a file may make scrypt use: N * r, in blocks of 128 bytes (128 MiB).
const SCRYPT_BLOCKS_MAX: u64 = 1 << 20;
/// Most work that a file may make scrypt do: N * r * p; some seconds.
const SCRYPT_WORK_MAX: u64 = 1 << 23;
/// Most rounds that a file may make PBKDF2 do; some seconds.
const PBKDF2_ROUNDS_MAX: u32 = 10_000_000;

pub(super) fn encode(
    keypair: &Keypair,
    passphrase: Option<&str>,
) -> Result<Zeroizing<String>, CreateError> {
    let failed = |error: pkcs8::Error| CreateError::Encrypt { reason: error.to_string() };
    let bytes = KeypairBytes { secret_key: *keypair.seed(), public_key: None };
    let plain = bytes.to_pkcs8_der().map_err(failed)?;
    let (label, document) = match passphrase {
        None => (PrivateKeyInfoRef::PEM_LABEL, plain),
        Some("") => return Err(CreateError::EmptyPassphrase),
        Some(passphrase) => {
            let info = PrivateKeyInfoRef::try_from(plain.as_bytes()).map_err(failed)?;
            let sealed = info.encrypt_with_params(new_parameters()?, passphrase).map_err(failed)?;
            (EncryptedPrivateKeyInfoRef::PEM_LABEL, sealed)
        }
    };
    let block = document.to_pem(label, LineEnding::LF).map_err(|e| failed(e.into()))?;
    // `format!` may grow its buffer and leave a copy of the secret behind; `concat` never does.
    Ok(Zeroizing::new([ID, &keypair.id().to_string(), "\n", &block].concat()))
}

fn new_parameters() -> Result<Parameters, CreateError> {
    let failed = |reason: &dyn ToString| CreateError::Encrypt { reason: reason.to_string() };
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    SysRng.try_fill_bytes(&mut salt).map_err(|e| failed(&e))?;
    SysRng.try_fill_bytes(&mut iv).map_err(|e| failed(&e))?;
    let cost = scrypt::Params::new(LOG_N, R, P).map_err(|e| failed(&e))?;
    Parameters::generate_scrypt_aes256cbc(cost, &salt, iv).map_err(|e| failed(&e))
}

/// `path` is for the errors.
pub(super) fn decode(
    text: &str,
    passphrase: Option<&str>,
    path: &Path,
) -> Result<Keypair, LoadError> {
    let corrupt = || LoadError::Corrupt { path: path.into() };
    let (label, document) = SecretDocument::from_pem(text).map_err(|_| corrupt())?;
    let id = id_of(text).map_err(|_| corrupt())?;
    match (label, passphrase) {
        (PrivateKeyInfoRef::PEM_LABEL, None) => keypair(&document, id, path, corrupt),
        (PrivateKeyInfoRef::PEM_LABEL, Some(_)) => {
            Err(LoadError::PassphraseUnused { path: path.into() })
        }
        (EncryptedPrivateKeyInfoRef::PEM_LABEL, None) => {
            Err(LoadError::PassphraseNeeded { path: path.into() })
        }
        (EncryptedPrivateKeyInfoRef::PEM_LABEL, Some(passphrase)) => {
            let sealed =
                EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|_| corrupt())?;
            if !sealed.encryption_algorithm.pbes2().is_some_and(is_affordable) {
                return Err(LoadError::CostlyDerivation { path: path.into() });
            }
            let wrong = || LoadError::WrongPassphrase { path: path.into() };
            let opened = sealed.decrypt(passphrase).map_err(|_| wrong())?;
            keypair(&opened, id, path, wrong)
        }
        _ => Err(corrupt()),
    }
}

/// The id that stands above the PEM block, if any.
fn id_of(text: &str) -> Result<Option<NodeId>, ParseHexError> {
    let above = text.lines().take_while(|line| !line.starts_with("-----BEGIN"));
    above.filter_map(|line| line.strip_prefix(ID)).next().map(str::parse).transpose()
}

fn keypair(
    document: &SecretDocument,
    id: Option<NodeId>,
    path: &Path,
    unfit: impl Fn() -> LoadError,
) -> Result<Keypair, LoadError> {
    let bytes = KeypairBytes::from_pkcs8_der(document.as_bytes()).map_err(|_| unfit())?;
    // Compares with the public key inside, which files of other programs may have.
    let keypair = SigningKey::try_from(&bytes).map(Keypair::from).map_err(|_| unfit())?;
    match id {
        Some(id) if id != keypair.id() => Err(unfit()),
        None if bytes.public_key.is_none() => Err(LoadError::NoId { path: path.into() }),
        Some(_) | None => Ok(keypair),
    }
}

/// A file is not to be trusted before it is opened, and its derivation runs before that.
fn is_affordable(parameters: &Parameters) -> bool {
    match &parameters.kdf {
        Kdf::Scrypt(scrypt) => {
            let (r, p) = (u64::from(scrypt.block_size), u64::from(scrypt.parallelization));
            let blocks = scrypt.cost_parameter.saturating_mul(r);
            scrypt.cost_parameter.is_power_of_two()
                && blocks <= SCRYPT_BLOCKS_MAX
                && blocks.saturating_mul(p) <= SCRYPT_WORK_MAX
        }
        Kdf::Pbkdf2(pbkdf2) => pbkdf2.iteration_count <= PBKDF2_ROUNDS_MAX,
        // The library's enum may grow: what we cannot price, we do not run.
        _ => false,
    }
}
