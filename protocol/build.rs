//! Compiles the wire schema with `protox`, so that no system `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/forsooth.proto");
    let descriptors = protox::compile(["proto/forsooth.proto"], ["proto"])?;
    prost_build::Config::new()
        // Payloads and headers are slices of the frame they came in, not copies.
        .bytes(["."])
        .compile_fds(descriptors)?;
    Ok(())
}
