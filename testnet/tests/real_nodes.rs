//! Real nodes on loopback, a few of them and not for long.

use std::time::Duration;

use forsooth_testnet::{
    plan::{Load, Plan},
    up::{self, Options},
    verdict::Verdict,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_nodes_withstand_a_forger() {
    let load = Load { rate: 3.0, payload_bytes: 256 };
    let plan = Plan::new(11, 6, &["forge=1".parse().unwrap()], load).unwrap();
    let options = Options {
        duration: Duration::from_secs(4),
        rate: load.rate,
        payload_bytes: load.payload_bytes,
    };
    let report = up::run(&plan, options, String::new()).await.unwrap();
    assert_eq!(report.verdict, Verdict::Pass, "{report}");
    assert!(report.published > 20, "{report}");
    assert!(report.faults.contains_key("forged"), "{report}");
}
