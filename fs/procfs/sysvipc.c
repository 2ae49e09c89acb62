/* SPDX-License-Identifier: MIT
 *
 * /proc/sysvipc/shm: System V shared memory segments, as ipcs shows them. The other two kinds of System V IPC do
 * not exist here.
 */
#include <fs/procfs/internal.h>
#include <kernel/ipc_shm.h>

#define SHM_USUAL 220
#define SHM_HEADER                                                                                 \
	"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid "  \
	" cgid      atime      dtime      ctime                   rss                  swap\n"

static void put_segment(struct seq *s, const struct shm_report *r)
{
	const struct shmid64_ds *ds = &r->ds;
	const struct ipc64_perm *perm = &ds->shm_perm;

	seq_printf(s, "%10d %10d  %4o %21llu %5d %5d  %5llu %5u %5u %5u %5u ", perm->key, r->id,
		   perm->mode, (unsigned long long)ds->shm_segsz, ds->shm_cpid, ds->shm_lpid,
		   (unsigned long long)ds->shm_nattch, perm->uid, perm->gid, perm->cuid,
		   perm->cgid);
	seq_printf(s, "%10lld %10lld %10lld %21lu %21lu\n", (long long)ds->shm_atime,
		   (long long)ds->shm_dtime, (long long)ds->shm_ctime, r->rss << PAGE_SHIFT,
		   r->swap << PAGE_SHIFT);
}

/* The cursor is 0 for the header and then one more than the index of the next segment. */
static int shm_show_next(struct seq *s)
{
	unsigned long index = s->cursor - 1;
	struct shm_segment *seg;
	struct shm_report r;

	if (!s->cursor) {
		seq_puts(s, SHM_HEADER);
		s->cursor = !s->overflow;
		return 1;
	}
	spin_lock(&shm_lock);
	seg = shm_next(&index);
	if (seg)
		shm_describe(seg, s->opener.user_ns, &r);
	spin_unlock(&shm_lock);
	if (!seg)
		return 0;
	put_segment(s, &r);
	if (!s->overflow)
		s->cursor = index + 2;
	return 1;
}

static const struct seq_source shm_source = { .next = shm_show_next, .usual = SHM_USUAL };

const struct proc_entry sysvipc_entries[] = {
	{ .name = "shm", .mode = S_IFREG | 0444, .source = &shm_source },
	{ 0 },
};
