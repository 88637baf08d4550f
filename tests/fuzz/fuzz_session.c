/* SPDX-License-Identifier: BSD-2-Clause */
/* What a mail server, or whoever reaches the milter's socket, can send: the packets of a session, to the real
 * libmilter with our callbacks. The first octet has flags. Packets end with an octet 0xff, and get their length here;
 * or all octets go out as they are. */
#include "daemon.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RAW       1
#define NEGOTIATE 2 /* first, as Postfix does: all actions, all steps */
#define OBSERVE   4
#define CONCEAL   8

#define PACKET_MAX 65536
#define PATIENCE   10000 /* ms: nothing of ours takes so long */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t hello[] = {'O', 0, 0, 0, 6, 0, 0, 1, 0xff, 0, 0x1f, 0xff, 0xff};

/* What goes out. All is written before anything is read, which the socket's buffer has room for. */
static struct {
    uint8_t data[PACKET_MAX];
    size_t size;
} out;

static void put(const void *octets, size_t size)
{
    if (size > sizeof out.data - out.size)
        size = sizeof out.data - out.size;
    memcpy(out.data + out.size, octets, size);
    out.size += size;
}

static void put_packet(const uint8_t *packet, size_t size)
{
    const uint8_t length[] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                              (uint8_t)size};
    put(length, sizeof length);
    put(packet, size);
}

static void put_packets(const uint8_t *data, size_t size)
{
    while (size > 0) {
        const uint8_t *end = memchr(data, 0xff, size);
        size_t length = end == NULL ? size : (size_t)(end - data);
        put_packet(data, length);
        data += end == NULL ? length : length + 1;
        size -= end == NULL ? length : length + 1;
    }
}

/* libmilter 8.17 looks for a macro in steps of two strings, and so reads behind the end of a packet with an
 * odd number of them (smfi_getsymval). No mail server sends one: what goes out ends before it. */
static void stop_before_odd_macros(void)
{
    for (size_t at = 0; out.size - at >= 6;) {
        const uint8_t *packet = out.data + at;
        size_t length =
            (size_t)packet[0] << 24 | (size_t)packet[1] << 16 | (size_t)packet[2] << 8 | packet[3];
        if (length > out.size - at - 4)
            return;
        bool odd = false;
        for (size_t i = 2; i < length; i++)
            odd = odd != (packet[4 + i] == '\0');
        if (length > 0 && packet[4] == 'D' && odd) {
            out.size = at;
            return;
        }
        at += 4 + length;
    }
}

/* "551 5.1.6 text": a code of class 4 or 5, one line, no control character. */
static void check_reply(const uint8_t *reply, size_t size)
{
    if (size < 10 || reply[size - 1] != '\0' || memchr(reply, '\0', size - 1) != NULL ||
        (reply[0] != '4' && reply[0] != '5') || memcmp(reply, "421", 3) == 0)
        abort();
    for (size_t i = 0; i + 1 < size; i++)
        if (reply[i] < ' ' || reply[i] == 0x7f)
            abort();
}

/* Reads whole packets, to the end of the connection. */
static void check_answers(const uint8_t *at, size_t size)
{
    while (size >= 5) {
        size_t length = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
        if (length == 0 || length > size - 4)
            abort();
        if (at[4] == 'y')
            check_reply(at + 5, length - 1);
        else if (strchr("Octa2-d", at[4]) == NULL)
            abort(); /* no header, body, quarantine, discard without a word */
        at += 4 + length;
        size -= 4 + length;
    }
    if (size != 0)
        abort();
}

static void talk(int fd)
{
    static uint8_t in[1 << 22];
    size_t used = 0;
    ssize_t got = 1;
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    if (send(fd, out.data, out.size, MSG_NOSIGNAL) < 0) {
        close(fd);
        return; /* libmilter has hung up over the first packets */
    }
    shutdown(fd, SHUT_WR);
    while (got > 0 && used < sizeof in) {
        /* libFuzzer's alarm interrupts both. */
        if (TEMP_FAILURE_RETRY(poll(&ready, 1, PATIENCE)) != 1)
            abort(); /* it hangs */
        got = TEMP_FAILURE_RETRY(read(fd, in + used, sizeof in - used));
        used += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    if (got == 0)
        check_answers(in, used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings *settings = fuzz_daemon_start();
    if (size == 0)
        return 0;
    settings->mode = data[0] & OBSERVE ? MODE_OBSERVE : MODE_ENFORCE;
    settings->conceal = (data[0] & CONCEAL) != 0;
    out.size = 0;
    if (data[0] & NEGOTIATE)
        put_packet(hello, sizeof hello);
    if (data[0] & RAW)
        put(data + 1, size - 1);
    else
        put_packets(data + 1, size - 1);
    stop_before_odd_macros();
    talk(fuzz_daemon_connect());
    return 0;
}
