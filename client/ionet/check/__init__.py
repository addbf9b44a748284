"""The hardware check: a product that only its result can answer for, timed, and verified without doing it again.

`kernel` is the arithmetic, with NumPy; `engines` does it on a machine's devices; `member` answers a check beside a Ray
node; `wire` is what goes between it and the launcher, which verifies. NumPy comes with the extras of the packages that
use this one; PyTorch is used where the machine has it.
"""
