//! What other implementations and papers say about signatures, held against ours: one by one and in batches.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::batch::{self, Item};
use crate::{Keypair, NodeId, Signature};

fn unhex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

/// The lines of a vector file: fields separated by blanks, `-` for an empty one, `#` starts a comment.
fn vectors(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split(' ').map(|field| if field == "-" { "" } else { field }).collect())
}

fn item(signer: &[u8], signature: &[u8], signed: &[u8]) -> Item {
    batch::item_of_bytes(signer.try_into().unwrap(), signature.try_into().unwrap(), signed)
}

/// What a batch says about each, as one queue.
fn in_batch(items: &[Item], seed: u64) -> Vec<bool> {
    let mut good = vec![false; items.len()];
    batch::check(items, &mut good, &mut ChaCha20Rng::seed_from_u64(seed));
    good
}

/// What single checks say about each.
fn one_by_one(items: &[Item]) -> Vec<bool> {
    items.iter().map(|item| batch::holds(item.clone())).collect()
}

/// Some valid signatures by different keys over different bytes.
fn honest(count: u32) -> Vec<Item> {
    let signed = |i: u32| {
        let keypair = Keypair::generate(&mut ChaCha20Rng::seed_from_u64(i.into()));
        let signature = keypair.sign_bytes(&i.to_le_bytes());
        item(keypair.id().as_bytes(), signature.as_bytes(), &i.to_le_bytes())
    };
    (0..count).map(signed).collect()
}

/// RFC 8032, section 7.1.
#[test]
fn the_rfcs_seeds_give_its_keys_and_signatures_and_these_hold() {
    let mut items = Vec::new();
    for vector in vectors(include_str!("conformance/rfc8032.txt")) {
        let [seed, key, message, signature] = vector[..] else { panic!("{vector:?}") };
        let (message, signature) = (unhex(message), unhex(signature));
        let keypair = Keypair::from_seed(unhex(seed).try_into().unwrap());
        assert_eq!(keypair.id().to_string(), key);
        assert_eq!(keypair.sign_bytes(&message), Signature::try_from(&signature[..]).unwrap());
        items.push(item(keypair.id().as_bytes(), &signature, &message));
    }
    assert_eq!(items.len(), 5);
    assert_eq!(one_by_one(&items), [true; 5]);
    assert_eq!(in_batch(&items, 1), [true; 5]);
}

/// Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs", 2020; expected is the row of ZIP-215.
#[test]
fn the_twelve_edge_cases_are_judged_by_zip_215_alone_and_among_honest_ones() {
    let (mut items, mut expected) = (Vec::new(), Vec::new());
    for vector in vectors(include_str!("conformance/taming.txt")) {
        let [verdict, message, key, signature] = vector[..] else { panic!("{vector:?}") };
        items.push(item(&unhex(key), &unhex(signature), &unhex(message)));
        expected.push(verdict == "valid");
    }
    assert_eq!(expected.len(), 12);
    assert_eq!(expected.iter().filter(|valid| **valid).count(), 9);
    assert_eq!(one_by_one(&items), expected);
    assert_eq!(in_batch(&items, 2), expected);

    for (edge, valid) in items.into_iter().zip(expected) {
        let mut batch = honest(40);
        batch.insert(23, edge);
        let mut verdicts = vec![true; 41];
        verdicts[23] = valid;
        assert_eq!(in_batch(&batch, 3), verdicts);
    }
}

/// The 8 points of small order in 14 encodings, 6 of which are not canonical.
fn small_order_encodings() -> BTreeSet<[u8; 32]> {
    // The y coordinates, little-endian: 0, 1, -1, the two of order 8, and 0 and 1 again as p and p + 1.
    let ys = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    let both_signs = |y: &str| {
        let positive: [u8; 32] = unhex(y).try_into().unwrap();
        let mut negative = positive;
        negative[31] |= 0x80;
        [positive, negative]
    };
    ys.into_iter().flat_map(both_signs).collect()
}

/// With S = 0 and A and R of small order both sides vanish once multiplied by the cofactor. Rules
/// other than ZIP-215 accept some of these pairs and not others, and some depend on the message.
#[test]
fn all_pairs_of_small_order_points_hold_alone_and_in_a_batch() {
    let encodings = small_order_encodings();
    assert_eq!(encodings.len(), 14);
    let mut items = Vec::new();
    for a in &encodings {
        for r in &encodings {
            items.push(item(a, &[*r, [0; 32]].concat(), b"Zcash"));
        }
    }
    assert_eq!(one_by_one(&items), [true; 196]);
    assert_eq!(in_batch(&items, 4), [true; 196]);
}

#[test]
fn a_small_order_key_does_not_make_a_non_zero_s_hold() {
    let encodings = small_order_encodings();
    let mut s = [0; 32];
    s[0] = 1;
    let items: Vec<Item> =
        encodings.iter().map(|point| item(point, &[*point, s].concat(), b"Zcash")).collect();
    assert_eq!(one_by_one(&items), [false; 14]);
    assert_eq!(in_batch(&items, 5), [false; 14]);
}

/// S and S + L give the same equation; only the smaller may hold, or a message would have two signatures.
#[test]
fn adding_the_groups_order_to_s_breaks_a_signature() {
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let keypair = Keypair::from_seed([3; 32]);
    let mut signature = *keypair.sign_bytes(b"once").as_bytes();
    let whole = item(keypair.id().as_bytes(), &signature, b"once");
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let [low, high] = (u16::from(*byte) + u16::from(add) + carry).to_le_bytes();
        (*byte, carry) = (low, u16::from(high));
    }
    let forged = item(keypair.id().as_bytes(), &signature, b"once");
    assert_eq!(one_by_one(&[whole.clone(), forged.clone()]), [true, false]);
    let batch = [vec![whole; 5], vec![forged], honest(3)].concat();
    assert_eq!(in_batch(&batch, 6).iter().position(|good| !good), Some(5));
}

/// Any byte of the signature, the key or the signed bytes.
#[test]
fn flipping_any_byte_breaks_a_signature_alone_and_in_a_batch() {
    let keypair = Keypair::from_seed([4; 32]);
    let signed = [9; 96];
    let whole =
        [&keypair.id().as_bytes()[..], keypair.sign_bytes(&signed).as_bytes(), &signed].concat();
    let parse = |bytes: &[u8]| item(&bytes[..32], &bytes[32..96], &bytes[96..]);
    let mut items = vec![parse(&whole)];
    for place in 0..whole.len() {
        let mut broken = whole.clone();
        broken[place] ^= 1 << (place % 8);
        items.push(parse(&broken));
    }
    let mut expected = vec![false; items.len()];
    expected[0] = true;
    assert_eq!(one_by_one(&items), expected);
    assert_eq!(in_batch(&items, 7), expected);
}

/// Two signatures that are each wrong by an amount that cancels out in the sum of both.
#[test]
fn errors_that_cancel_out_do_not_pass_a_batch() {
    let keypair = Keypair::from_seed([5; 32]);
    let shifted = |message: &[u8], up: bool| {
        let mut signature = *keypair.sign_bytes(message).as_bytes();
        // S has room: the lowest byte is moved by one, without a carry.
        let low = &mut signature[32];
        *low = if up { low.checked_add(1).unwrap() } else { low.checked_sub(1).unwrap() };
        item(keypair.id().as_bytes(), &signature, message)
    };
    let pair = [shifted(b"plus", true), shifted(b"minus", false)];
    for seed in 0..8 {
        let batch = [honest(6), pair.to_vec()].concat();
        assert_eq!(in_batch(&batch, seed)[6..], [false, false]);
    }
}

/// Bad ones of many kinds at random places, in batches of many sizes, groups and remainders.
#[test]
fn a_batch_says_what_single_checks_say_wherever_the_bad_ones_are() {
    let honest = honest(300);
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    for round in 0..60 {
        let length = 1 + rng.next_u32() as usize % honest.len();
        let one_in = [1, 2, 7, 16, 64, 400][round % 6];
        let mut batch = honest[..length].to_vec();
        let mut expected = vec![true; length];
        for (place, good) in expected.iter_mut().enumerate() {
            if rng.next_u32() % one_in == 0 {
                batch[place] = bad(&mut rng);
                *good = false;
            }
        }
        assert_eq!(in_batch(&batch, round as u64), expected, "round {round}");
    }
}

/// Something that does not hold: no point, no scalar, noise, or an honest one over other bytes.
fn bad(rng: &mut ChaCha20Rng) -> Item {
    let keypair = Keypair::generate(rng);
    let mut signature = *keypair.sign_bytes(b"said").as_bytes();
    let key = match rng.next_u32() % 5 {
        // y = 2 is on no point of the curve.
        0 => NodeId::from_bytes(std::array::from_fn(|i| if i == 0 { 2 } else { 0 })),
        1 => Keypair::generate(rng).id(),
        2 => {
            signature[..32]
                .copy_from_slice(&std::array::from_fn::<u8, 32, _>(|i| u8::from(i == 0) * 2));
            keypair.id()
        }
        3 => {
            signature[63] |= 0xe0;
            keypair.id()
        }
        _ => {
            rng.fill_bytes(&mut signature);
            keypair.id()
        }
    };
    item(key.as_bytes(), &signature, b"said")
}
