/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/progress.h"

#include "ctl/ctl.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MS 1000 /* what is over sooner shows no bar */
#define EACH_MS  200
#define BAR_MAX  40 /* columns, as many as show_bar has */

static struct {
    const char *what, *unit;
    size_t done, all;      /* for progress_step */
    int64_t started, told; /* milliseconds of the monotonic clock */
    bool terminal, colour, shown;
} bar;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_begin(const char *what, const char *unit, size_t all)
{
    const char *no_colour = getenv("NO_COLOR");
    memset(&bar, 0, sizeof bar);
    bar.started = now_ms();
    bar.told = bar.started + QUIET_MS - EACH_MS;
    bar.what = what;
    bar.unit = unit;
    bar.all = all;
    bar.terminal = isatty(STDERR_FILENO) && !print_is_dumb();
    bar.colour = no_colour == NULL || *no_colour == '\0';
}

static int columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* "1,234,567", at the end of out. */
static const char *grouped(char out[32], size_t number)
{
    char *at = out + 31;
    *at = '\0';
    for (int digits = 0; digits == 0 || number > 0; digits++, number /= 10) {
        if (digits > 0 && digits % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + number % 10);
    }
    return at;
}

static void show_bar(double part, int width)
{
    static const char full[] = "########################################",
                      rest[] = "----------------------------------------";
    const char *on = bar.colour ? "\033[32m" : "", *off = bar.colour ? "\033[0m" : "";
    int done = (int)(part * width);
    fprintf(stderr, " [%s%.*s%s%.*s%s]", on, done, full, off, width - done, rest, off);
}

/* A line that does not fit would be wrapped, and the next one could not wipe it: the rate goes, and then what is over. */
static void show(size_t done, double part, int64_t passed_ms)
{
    char digits[2][32], percent[16] = "", left[32] = "", text[256];
    const char *count = grouped(digits[0], done),
               *rate = grouped(digits[1], (size_t)((double)done * 1000 / (double)passed_ms));
    int room = columns() - (int)strlen(bar.what) - 1; /* one column is the cursor's */
    if (part > 0) {
        long seconds = (long)((double)passed_ms / 1000 * (1 - part) / part + 0.5);
        snprintf(percent, sizeof percent, " %3d%%", (int)(part * 100));
        snprintf(left, sizeof left, ", %ld:%02ld left", seconds / 60, seconds % 60);
    }
    int length = snprintf(text, sizeof text, "%s %s %s, %s a second%s", percent, count, bar.unit,
                          rate, left);
    if (length > room)
        snprintf(text, sizeof text, "%s %s %s%s", percent, count, bar.unit, left);
    int width = room - length - (int)strlen(" []");

    fprintf(stderr, "\r%s", bar.what);
    if (part > 0 && width >= 4)
        show_bar(part, width > BAR_MAX ? BAR_MAX : width);
    fprintf(stderr, "%.*s\033[K", room > 0 ? room : 0, text);
    fflush(stderr);
}

void progress_tell(size_t done, double at, double all)
{
    if (!bar.terminal)
        return;
    int64_t now = now_ms();
    if (now - bar.told < EACH_MS)
        return;
    bar.told = now;
    bar.shown = true;
    show(done, all <= 0 ? 0 : at >= all ? 1 : at / all, now - bar.started);
}

void progress_step(void)
{
    bar.done++;
    progress_tell(bar.done, (double)bar.done, (double)bar.all);
}

void progress_show(void)
{
    if (!bar.terminal)
        return;
    bar.shown = true;
    fprintf(stderr, "\r%s\033[K", bar.what);
    fflush(stderr);
}

void progress_clear(void)
{
    if (bar.shown)
        fputs("\r\033[K", stderr);
    bar.shown = false;
}
