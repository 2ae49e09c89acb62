// SPDX-License-Identifier: MIT
/*
 * The battery-backed clock (Motorola MC146818): read once, for the date.
 */
#include <arch/io.h>
#include <arch/timer.h>

#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define REG_CENTURY 0x32 /* where PCs keep it */
#define REG_A 0x0a
#define REG_B 0x0b
#define A_UPDATING 0x80
#define B_BINARY 0x04
#define B_24_HOURS 0x02
#define HOUR_PM 0x80
#define MAX_TRIES 100000

struct rtc_time {
	u8 sec, min, hour, day, month, year, century;
};

static u8 cmos_read(u8 index)
{
	outb(CMOS_INDEX, index);
	return inb(CMOS_DATA);
}

static struct rtc_time read_once(void)
{
	for (unsigned int i = 0; i < MAX_TRIES && (cmos_read(REG_A) & A_UPDATING); i++)
		;
	return (struct rtc_time){
		.sec = cmos_read(0),
		.min = cmos_read(2),
		.hour = cmos_read(4),
		.day = cmos_read(7),
		.month = cmos_read(8),
		.year = cmos_read(9),
		.century = cmos_read(REG_CENTURY),
	};
}

static bool same(const struct rtc_time *a, const struct rtc_time *b)
{
	return a->sec == b->sec && a->min == b->min && a->hour == b->hour && a->day == b->day;
}

static unsigned int number(u8 v, bool bcd)
{
	return bcd ? (v >> 4) * 10u + (v & 15) : v;
}

/* Days since 1970-01-01 in the Gregorian calendar; the year is counted from March. */
static u64 days_from_date(unsigned int year, unsigned int month, unsigned int day)
{
	unsigned int m = (month + 9) % 12;
	unsigned int y = year - (month <= 2);

	return 365ul * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + (day - 1) - 719468;
}

u64 arch_boot_realtime(void)
{
	struct rtc_time t = read_once(), again = read_once();
	u8 b = cmos_read(REG_B);
	bool bcd = !(b & B_BINARY);
	unsigned int hour, month, day, century;

	for (unsigned int i = 0; i < 3 && !same(&t, &again); i++) {
		t = again;
		again = read_once();
	}
	hour = number(t.hour & (u8)~HOUR_PM, bcd);
	if (!(b & B_24_HOURS))
		hour = hour % 12 + (t.hour & HOUR_PM ? 12 : 0);
	month = number(t.month, bcd);
	day = number(t.day, bcd);
	century = number(t.century, bcd);
	if (century < 19 || century > 29)
		century = 20;
	if (month < 1 || month > 12 || day < 1)
		return 0;
	return days_from_date(century * 100 + number(t.year, bcd), month, day) * 86400 +
	       hour * 3600 + number(t.min, bcd) * 60 + number(t.sec, bcd);
}
