# Sourced by scripts/build-program: a Debian sid root with rustc, LLVM 23 and sbpf-linker that turns a crate into
# an sBPF v3 program without Solana's platform-tools. docs/build.md says why each part is there.
# Needs root (chroot) and mmdebstrap (taken from apt when missing). Expects $repo, $root and $here.

linker_version=0.2.6
builtins_version=0.3.0
framework="anchor-lang anchor-spl anchor-derive-accounts pinocchio solana-account-view solana-address"
cargo_home=/opt/cargo # for programs only: their crates are changed, the tools' are not
own_files="builtins.py sbpf-linker sbpf-solana.json"
packages=ca-certificates,cargo,rustc,rust-src,llvm-23,llvm-23-dev,libpolly-23-dev,libzstd-dev,zlib1g-dev,gcc,g++,pkg-config,python3-minimal

in_root() {
  chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 CARGO_TERM_COLOR=never \
    PATH=/root/.cargo/bin:/usr/lib/llvm-23/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt "$@"
}

# The mirror this machine already uses, in either of apt's two formats.
mirror() {
  local found
  found=$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/*.sources 2>/dev/null || true)
  [ -n "$found" ] || found=$(awk '$1 == "deb" && $2 ~ /^http/ {print $2; exit}' /etc/apt/sources.list 2>/dev/null || true)
  echo "${found:-http://deb.debian.org/debian}"
}

# The caller runs in a mount namespace of its own, so what is mounted here vanishes with it.
mount_root() { # mount_root [WORKSPACE]
  mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
  mountpoint -q "$root/dev" || mount --rbind /dev "$root/dev"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  [ $# -eq 0 ] && return
  mkdir -p "$root/src" && mount --bind "$1" "$root/src"
}

install_root() {
  [ -e "$root/.ready" ] && return
  command -v mmdebstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq mmdebstrap; }
  rm -rf --one-file-system "$root" && mkdir -p "$(dirname "$root")"
  mmdebstrap --quiet --aptopt='Acquire::Check-Valid-Until "false"' --variant=apt --mode=root \
    --include="$packages" sid "$root" "$(mirror)"
  mount_root
  in_root cargo install --quiet sbpf-linker --version "$linker_version" --no-default-features --features bpf-linker/llvm-23
  # std builds for an unknown CPU once it is told the allocator's minimum alignment.
  mkdir -p "$root/opt/rust"
  cp -rL "$root/usr/lib/rustlib/src/rust/library" "$root/opt/rust/"
  sed -i '0,/target_arch = "m68k"/s//target_arch = "bpf", target_arch = "m68k"/' "$root/opt/rust/library/std/src/sys/alloc/mod.rs"
  touch "$root/.ready"
}

# Rebuilt whenever one of our own files in the root differs from the repository's.
install_builtins() {
  local file changed=
  for file in $own_files; do cmp -s "$here/$file" "$root/opt/$file" || changed=1; done
  [ -e "$root/opt/builtins.bc" ] && [ -z "$changed" ] && return
  rm -rf "$root"/opt/{builtins,builtins.bc,sbpf-link} "$root"/target{,-probe} && mkdir -p "$root/opt/builtins/src"
  for file in $own_files; do cp "$here/$file" "$root/opt/"; done
  cat > "$root/opt/builtins/Cargo.toml" <<T
[package]
name = "builtins"
version = "0.0.0"
edition = "2021"
[lib]
crate-type = ["rlib"]
[dependencies]
solana-compiler-builtins = { version = "=$builtins_version", features = ["weak-linkage"] }
T
  echo '#![no_std] use solana_compiler_builtins as _;' > "$root/opt/builtins/src/lib.rs"
  cargo_sbpf /opt/builtins /opt/builtins/target "--emit=llvm-ir -Ccodegen-units=1" build --quiet
  in_root bash -c 'python3 /opt/builtins.py /opt/builtins/target/sbpf-solana/release/deps/solana_compiler_builtins-*.ll \
    > /opt/builtins.ll && llvm-as-23 /opt/builtins.ll -o /opt/builtins.bc'
}

# The framework marks itself inline(always): some 70 instructions for each account and 100 for each handler, copied into
# every one of them. Turned into a hint, programs are a quarter smaller. Downloaded crates count as unchangeable, so cargo
# keeps what it built from them before: the target folders go. Once done, nothing is found and nothing happens.
soften_inlining() { # in the crates of the workspace mounted at /src
  local crate found crates=$root$cargo_home/registry/src
  [ "$(cat "$root$cargo_home/framework" 2>/dev/null)" = "$framework" ] || rm -rf "$crates" # cargo unpacks them again
  in_root env CARGO_HOME="$cargo_home" cargo fetch --quiet --locked --manifest-path /src/Cargo.toml
  for crate in $framework; do
    mapfile -t found < <(grep -rlF '#[inline(always)]' "$crates"/*/"$crate"-[0-9]*)
    [ ${#found[@]} -gt 0 ] || continue
    rm -rf "$root"/target{,-probe}
    sed -i 's/#\[inline(always)\]/#[inline]/' "${found[@]}"
  done
  echo "$framework" > "$root$cargo_home/framework"
}

# A panic aborts at once: no formatting code, no writable statics, and the transaction still fails.
# Misaligned access: the runtime loads and stores at any address in one instruction; without it every access to a
# packed field is taken apart into bytes (a third of the program).
# Inlining threshold: what is copied is not called; a tenth less program for a few compute units.
# Long copies (over 64 bytes) are calls of memcpy, equal functions become one: 12 and 3 KB of 330.
# --cfg target_os: std knows an allocator for zkvm (the target's os) and none for solana; crates still see solana.
rust_flags="-Aexplicit_builtin_cfgs_in_flags --cfg=target_os=\"solana\" -Zunstable-options -Cpanic=immediate-abort \
-Clinker=/opt/sbpf-linker -Clink-arg=--llvm-args=-bpf-stack-size=4096 -Clink-arg=--arch=v3 \
-Clink-arg=--cpu-features=+allows-misaligned-mem-access -Clink-arg=--llvm-args=-inline-threshold=0 \
-Clink-arg=--llvm-args=-bpf-max-stores-per-memfunc=8 -Clink-arg=--llvm-args=-enable-merge-functions -Cllvm-args=-inline-threshold=0"

# Freshness by content, not by time: clones of different age share the target folder.
cargo_sbpf() { # cargo_sbpf DIR TARGET_DIR "EXTRA FLAGS" CARGO_ARG...
  local dir=$1 target=$2 encoded
  encoded=$(tr -s ' ' $'\x1f' <<<"$rust_flags $3"); encoded=${encoded%$'\x1f'}; shift 3
  in_root env RUSTC_BOOTSTRAP=1 RUSTC_BOOTSTRAP_SYNTHETIC_TARGET=1 __CARGO_TESTS_ONLY_SRC_ROOT=/opt/rust/library \
    CARGO_HOME="$cargo_home" CARGO_ENCODED_RUSTFLAGS="$encoded" CARGO_TARGET_DIR="$target" \
    bash -c 'cd "$0" && exec cargo "$@"' "$dir" "$@" --release --target /opt/sbpf-solana.json \
    -Zbuild-std=std,panic_abort -Zbuild-std-features= -Zjson-target-spec -Zchecksum-freshness
}

# One TOOL=VERSION a line: what the bytes of a program depend on beside its sources.
tool_versions() {
  in_root rustc -vV | sed -n 's/^release: /rustc=/p; s/^LLVM version: /rustc-llvm=/p'
  echo "llvm=$(in_root llvm-config-23 --version)"
  echo "sbpf-linker=$(in_root sbpf-linker --version | awk 'NR == 1 {print $2}')"
  echo "solana-compiler-builtins=$builtins_version"
}
