# SPDX-License-Identifier: MIT
"""The distribution's own dynamic binaries, unmodified."""

import os
import shutil

import pytest


def needs(*programs):
    return [arg for p in programs for arg in ("--file", shutil.which(p) or pytest.fail(f"{p} is not on this machine"))]


def bash(run, text, *programs, options=(), **keywords):
    return run(*options, *needs(*programs), "--", "bash", "-c", text, **keywords)


def lines(done):
    assert done.returncode == 0, (done.returncode, done.stderr.decode(errors="replace"))
    return done.stdout.decode().splitlines()


def test_bash(run):
    text = """
    a=(one two three); declare -A m=([x]=1 [y]=2)
    echo "${a[@]:1}" "${m[x]}" $((2 ** 40))
    f() { local n=$1; ((n < 2)) && { echo $n; return; }; echo $(($(f $((n - 1))) + $(f $((n - 2))))); }
    f 7
    trap 'echo got TERM' TERM; kill -TERM $$
    cat <<< "here string"
    diff <(echo same) <(echo same) && echo equal
    echo "${BASH_VERSION%%.*}"
    """
    out = lines(bash(run, text, "cat", "diff"))
    assert out[:5] == ["two three 1 1099511627776", "13", "got TERM", "here string", "equal"]
    assert out[5].isdigit()


def test_coreutils(run):
    text = """
    set -e; cd /tmp
    printf 'pear\\napple\\nfig\\n' > fruit; cp fruit copy; sort copy > sorted; cat sorted
    dd if=/dev/zero of=zeros bs=4096 count=256 2>/dev/null; md5sum zeros; stat -c %s zeros
    head -c 100000 /dev/urandom > noise; cp noise noise2; cmp noise noise2 && echo same
    mkdir -p d/e; mv sorted d/e/; ls -1 d/e; ls -l fruit | cut -c 1-10; rm -r d; ls
    """
    programs = "cp sort cat dd md5sum stat head cmp mkdir mv ls cut rm".split()
    assert lines(bash(run, text, *programs)) == [
        "apple", "fig", "pear",
        "b6d81b360a5672d80c27430f39153e2c  zeros", "1048576", "same", "sorted", "-rw-r--r--",
        "copy", "fruit", "noise", "noise2", "zeros",
    ]  # fmt: skip


def test_text_tools(run):
    text = """
    seq 1 1000 | awk '{ s += $1 } END { print s }'
    seq 1 1000 | grep -c '7'
    printf 'a b\\nc d\\n' | sed -E 's/(.) (.)/\\2-\\1/'
    seq 1 20000 | sort -rn | head -n 1
    seq 3 | xargs -n 1 echo item
    """
    assert lines(bash(run, text, "seq", "awk", "grep", "sed", "sort", "head", "xargs", "echo")) == [
        "500500", "271", "b-a", "d-c", "20000", "item 1", "item 2", "item 3",
    ]  # fmt: skip


C_LIBRARY = "/usr/lib/x86_64-linux-gnu"
TCC_NEEDS = [
    *(f"{C_LIBRARY}/{name}" for name in ("tcc", "crt1.o", "crti.o", "crtn.o", "libc.so", "libc_nonshared.a")),
    f"{C_LIBRARY}/libc.so.6", f"{C_LIBRARY}/ld-linux-x86-64.so.2",
    "/usr/include/features.h", "/usr/include/features-time64.h", "/usr/include/stdc-predef.h", "/usr/include/stdio.h",
    "/usr/include/stdlib.h", "/usr/include/string.h", "/usr/include/strings.h", "/usr/include/alloca.h",
    "/usr/include/endian.h",
    "/usr/include/x86_64-linux-gnu/bits", "/usr/include/x86_64-linux-gnu/gnu", "/usr/include/x86_64-linux-gnu/sys",
]  # fmt: skip

PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
	char *p = malloc(1 << 20);
	memset(p, 'x', 1 << 20);
	printf("%s %d %c\\n", argv[1], argc, p[(1 << 20) - 1]);
	return 42;
}
"""


def test_tcc_compiles_and_runs(run, tmp_path):
    (tmp_path / "hello.c").write_text(PROGRAM)
    options = [arg for path in TCC_NEEDS if os.path.exists(path) for arg in ("--file", path)]
    options += ["--file", f"{tmp_path}/hello.c:/root/hello.c", *needs("tcc")]
    done = run(*options, "--", "bash", "-c", "cd /tmp && tcc -o hello /root/hello.c && ./hello 'from tcc'")
    assert (done.stdout, done.returncode) == (b"from tcc 2 x\n", 42), done.stderr.decode()
    done = run(*options, "--", "tcc", "-run", "/root/hello.c", "in memory")
    assert (done.stdout, done.returncode) == (b"in memory 2 x\n", 42), done.stderr.decode()


def test_sqlite3(run):
    queries = """
    create table t(id integer primary key, name text, n integer);
    with recursive c(i) as (select 1 union all select i + 1 from c where i < 5000) insert into t select i, 'row ' || i, i * i from c;
    create index byname on t(name);
    update t set n = n + 1 where id % 2 = 0;
    select count(*), sum(n) from t;
    select id from t where name = 'row 4321';
    begin; delete from t; rollback;
    select count(*) from t;
    pragma integrity_check;
    """
    out = lines(run("--", "sqlite3", "/tmp/test.db", stdin=queries.encode()))
    squares = sum(i * i for i in range(1, 5001)) + 2500
    assert out == [f"5000|{squares}", "4321", "5000", "ok"]


def test_busybox_applets(run):
    text = """
    cd /tmp && mkdir src && echo hello > src/a && tar cf x.tar src && rm -r src && tar xf x.tar && cat src/a
    gzip < x.tar | gunzip | md5sum | cut -c 33-; md5sum < x.tar | cut -c 33-
    ps | grep -c '[/]init'; id -u
    """
    assert lines(run("--", "busybox", "sh", "-c", text)) == ["hello", "  -", "  -", "1", "0"]
