"""Turns solana-compiler-builtins' LLVM IR into the libcalls that LLVM 23 emits for 128-bit arithmetic.

rustc before LLVM 23 gives `u128 f(u128, u128)` a hidden return pointer; LLVM 23's BPF back end calls
`__multi3`, `__udivti3`, `__umodti3`, `__divti3`, `__modti3` expecting the value in r0 and r2. Without the
wrappers every u128 multiplication or division silently corrupts memory. If the definitions already return
i128 (rustc on LLVM 23), only the signed pair is added.

Use: builtins.py FILE.ll > WRAPPED.ll
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

UNSIGNED = ("__multi3", "__udivti3", "__umodti3")

WRAPPER = """
define i128 @{name}(i128 %a, i128 %b) {{
  %out = alloca i128, align 16
  call void @sret{name}(ptr sret([16 x i8]) align 16 %out, i128 %a, i128 %b)
  %value = load i128, ptr %out, align 16
  ret i128 %value
}}
"""

# Truncated signed division: divide magnitudes, then restore the sign (of a*b for the quotient, of a for the remainder).
SIGNED = """
define i128 @{name}(i128 %a, i128 %b) {{
  %sa = ashr i128 %a, 127
  %sb = ashr i128 %b, 127
  %xa = xor i128 %a, %sa
  %ma = sub i128 %xa, %sa
  %xb = xor i128 %b, %sb
  %mb = sub i128 %xb, %sb
  %m = call i128 @{unsigned}(i128 %ma, i128 %mb)
  %s = {sign}
  %xm = xor i128 %m, %s
  %value = sub i128 %xm, %s
  ret i128 %value
}}
"""


def wrap(text: str) -> str:
    """The module with every libcall returning its i128 by value; exits when neither known form is found."""
    for name in UNSIGNED:
        if re.search(rf"define[^\n]* i128 @{name}\(", text):
            continue
        text = text.replace(f"@{name}(", f"@sret{name}(").replace(f"${name} = comdat any\n", "")
        definition = rf"define weak_odr void @sret{name}(.*?) comdat \{{"
        text, found = re.subn(definition, rf"define internal void @sret{name}\1 {{", text)
        if not found:
            sys.exit(f"{name}: neither form found; the builtins crate or rustc has changed")
        text += WRAPPER.format(name=name)
    text += SIGNED.format(name="__divti3", unsigned="__udivti3", sign="xor i128 %sa, %sb")
    text += SIGNED.format(name="__modti3", unsigned="__umodti3", sign="or i128 %sa, 0")
    return text


if __name__ == "__main__":
    sys.stdout.write(wrap(Path(sys.argv[1]).read_text()))
