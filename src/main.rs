//! The `procura` binary: parses the command line, runs it, exits with its code.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    procura::cli::run()
}
