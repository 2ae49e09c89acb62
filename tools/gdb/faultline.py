# SPDX-License-Identifier: MIT
"""The commands of `make gdb`: gdb -x tools/gdb/faultline.py build/debug/kernel.elf. docs/debugging.md shows them."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import locks
import lru
import page
import pt
import threads
import vmmap

for module in (locks, lru, page, pt, threads, vmmap):
    module.register()
