/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "net/resolver.h"

#ifdef HAVE_CARES

/* Debian 12 has 1.18; later versions call some of what it has out of date. */
#define CARES_NO_DEPRECATED

#include <ares.h>
#include <arpa/nameser.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#define IN_FLIGHT 64   /* questions at a time */
#define FIRST_MS  2500 /* the timeout of a name server, doubled at the second try */
#define TRIES     2

/* A question whose answer is awaited. */
struct waiting {
    struct resolver *resolver;
    struct resolver_question question;
    bool used, again;
};

/* One channel tries the next server after SERVFAIL or REFUSED, and at the end reports only that none had an answer. The
 * other takes the first answer as it is, and is then asked for the reason. */
enum { PATIENT, FRANK, CHANNELS };

struct resolver {
    ares_channel channels[CHANNELS];
    const struct resolver_asker *asker;
    struct waiting waiting[IN_FLIGHT];
    size_t in_flight;
    size_t silent; /* questions without any answer, one after another */
    bool heard;    /* any answer at all */
};

/* ---- answers */

static bool is_silence(int status)
{
    return status == ARES_ETIMEOUT || status == ARES_ECONNREFUSED;
}

static void hear(struct resolver *resolver)
{
    resolver->heard = true;
    resolver->silent = 0;
}

static int by_preference(const void *a, const void *b)
{
    const struct ares_mx_reply *const *x = a, *const *y = b;
    return (int)(*x)->priority - (int)(*y)->priority;
}

/* Returns what the answer points into: free it with ares_free_data. */
static struct ares_mx_reply *read_hosts(struct resolver_answer *out, const unsigned char *octets,
                                        int length)
{
    struct ares_mx_reply *list = NULL, *sorted[RESOLVER_HOSTS_MAX];
    if (ares_parse_mx_reply(octets, length, &list) != ARES_SUCCESS)
        return NULL;
    for (struct ares_mx_reply *at = list; at != NULL && out->count < RESOLVER_HOSTS_MAX;
         at = at->next)
        sorted[out->count++] = at;
    qsort(sorted, out->count, sizeof *sorted, by_preference);
    for (size_t i = 0; i < out->count; i++)
        out->hosts[i] = sorted[i]->host;
    return list;
}

static void read_v4(struct resolver_answer *out, const unsigned char *octets, int length)
{
    struct ares_addrttl found[RESOLVER_ADDRESSES_MAX];
    int count = RESOLVER_ADDRESSES_MAX;
    if (ares_parse_a_reply(octets, length, NULL, found, &count) == ARES_SUCCESS)
        for (; out->count < (size_t)count; out->count++) {
            struct ip *ip = &out->addresses[out->count];
            *ip = (struct ip){.octets = {[10] = 0xff, 0xff}};
            memcpy(ip->octets + 12, &found[out->count].ipaddr, 4);
        }
}

static void read_v6(struct resolver_answer *out, const unsigned char *octets, int length)
{
    struct ares_addr6ttl found[RESOLVER_ADDRESSES_MAX];
    int count = RESOLVER_ADDRESSES_MAX;
    if (ares_parse_aaaa_reply(octets, length, NULL, found, &count) == ARES_SUCCESS)
        for (; out->count < (size_t)count; out->count++)
            memcpy(out->addresses[out->count].octets, &found[out->count].ip6addr, 16);
}

static void judge(struct resolver_answer *out, int status)
{
    switch (status) {
    case ARES_SUCCESS:
        out->result = out->count > 0 ? RESOLVER_FOUND : RESOLVER_NOTHING; /* an alias alone */
        break;
    case ARES_ENODATA: out->result = RESOLVER_NOTHING; break;
    case ARES_ENOTFOUND:
    case ARES_EBADNAME: out->result = RESOLVER_NO_NAME; break;
    case ARES_ESERVFAIL: out->why = "SERVFAIL"; break;
    case ARES_EREFUSED: out->why = "REFUSED"; break;
    case ARES_ETIMEOUT:
    case ARES_ECONNREFUSED: out->why = "no answer"; break;
    default: out->why = ares_strerror(status); break;
    }
}

static void send_question(struct resolver *resolver, int channel, struct waiting *waiting);

static void on_answer(void *data, int status, int timeouts, unsigned char *octets, int length)
{
    struct waiting *waiting = data;
    struct resolver *resolver = waiting->resolver;
    struct resolver_answer answer = {.result = RESOLVER_FAILED, .why = ""};
    struct ares_mx_reply *list = NULL;

    (void)timeouts;
    if (status == ARES_ECONNREFUSED && !waiting->again) {
        waiting->again = true;
        send_question(resolver, FRANK, waiting);
        return;
    }
    waiting->used = false;
    resolver->in_flight--;
    if (status == ARES_SUCCESS) {
        switch (waiting->question.type) {
        case RESOLVER_MX: list = read_hosts(&answer, octets, length); break;
        case RESOLVER_A: read_v4(&answer, octets, length); break;
        case RESOLVER_AAAA: read_v6(&answer, octets, length); break;
        }
    }
    judge(&answer, status);
    if (is_silence(status))
        resolver->silent++;
    else
        hear(resolver);
    resolver->asker->answered(&waiting->question, &answer, resolver->asker->data);
    ares_free_data(list);
}

/* ---- questions */

/* c-ares may call on_answer before this returns. */
static void send_question(struct resolver *resolver, int channel, struct waiting *waiting)
{
    static const int types[] = {
        [RESOLVER_MX] = ns_t_mx, [RESOLVER_A] = ns_t_a, [RESOLVER_AAAA] = ns_t_aaaa};
    ares_query(resolver->channels[channel], waiting->question.name, ns_c_in,
               types[waiting->question.type], on_answer, waiting);
}

static struct waiting *find_unused(struct resolver *resolver)
{
    for (size_t i = 0; i < IN_FLIGHT; i++)
        if (!resolver->waiting[i].used)
            return &resolver->waiting[i];
    return NULL;
}

/* Asks as many questions as are allowed at a time. Returns false if there are no more. */
static bool ask_some(struct resolver *resolver)
{
    struct waiting *waiting;
    while (resolver->silent < IN_FLIGHT && (waiting = find_unused(resolver)) != NULL) {
        if (!resolver->asker->next(&waiting->question, resolver->asker->data))
            return false;
        waiting->resolver = resolver;
        waiting->used = true;
        waiting->again = false;
        resolver->in_flight++;
        send_question(resolver, PATIENT, waiting);
    }
    return true;
}

/* Waits until a name server answers or times out. */
static void wait_for_some(struct resolver *resolver)
{
    fd_set reads, writes; /* movedctl opens few files: their numbers are far below FD_SETSIZE */
    struct timeval most = {.tv_sec = 1}, left[CHANNELS], *first = &most;
    int fds = 0;

    FD_ZERO(&reads);
    FD_ZERO(&writes);
    for (int i = 0; i < CHANNELS; i++) {
        int needed = ares_fds(resolver->channels[i], &reads, &writes);
        fds = needed > fds ? needed : fds;
        first = ares_timeout(resolver->channels[i], first, &left[i]);
    }
    if (select(fds, &reads, &writes, NULL, first) <= 0) {
        FD_ZERO(&reads);
        FD_ZERO(&writes);
    }
    for (int i = 0; i < CHANNELS; i++)
        ares_process(resolver->channels[i], &reads, &writes);
}

static void wait_for_all(struct resolver *resolver)
{
    while (resolver->in_flight > 0)
        wait_for_some(resolver);
}

/* ---- whether a name server is there */

static void on_root(void *data, int status, int timeouts, unsigned char *octets, int length)
{
    struct resolver *resolver = data;
    (void)timeouts;
    (void)octets;
    (void)length;
    resolver->in_flight--;
    if (!is_silence(status))
        hear(resolver);
}

/* Many domains may time out together; every working name server knows the root. */
static void ask_for_root(struct resolver *resolver)
{
    resolver->in_flight++;
    ares_query(resolver->channels[FRANK], ".", ns_c_in, ns_t_ns, on_root, resolver);
}

int resolver_ask(struct resolver *resolver, const struct resolver_asker *asker, struct error *err)
{
    bool more;

    resolver->asker = asker;
    resolver->silent = 0;
    if (!resolver->heard)
        ask_for_root(resolver);
    while ((more = ask_some(resolver))) {
        if (resolver->silent < IN_FLIGHT) {
            wait_for_some(resolver);
            continue;
        }
        wait_for_all(resolver);
        if (resolver->silent >= IN_FLIGHT)
            ask_for_root(resolver);
        wait_for_all(resolver);
        if (resolver->silent >= IN_FLIGHT)
            break;
    }
    wait_for_all(resolver);
    if (!more && (resolver->heard || resolver->silent == 0))
        return 0;
    return error_set(err, EX_UNAVAILABLE,
                     "no name server answers%s: see /etc/resolv.conf, or write --resolver ADDRESS",
                     resolver->heard ? " any more" : "");
}

/* ---- the servers */

static int open_channels(struct resolver *resolver, const char *servers)
{
    struct ares_options options = {.timeout = FIRST_MS, .tries = TRIES};
    int status = ares_library_init(ARES_LIB_INIT_ALL);

    for (int i = 0; i < CHANNELS && status == ARES_SUCCESS; i++) {
        options.flags = i == FRANK ? ARES_FLAG_NOCHECKRESP : 0;
        status = ares_init_options(&resolver->channels[i], &options,
                                   ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
        if (status == ARES_SUCCESS && servers != NULL)
            status = ares_set_servers_ports_csv(resolver->channels[i], servers);
    }
    return status;
}

int resolver_new(struct resolver **out, const char *servers, struct error *err)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    int status = resolver == NULL ? ARES_ENOMEM : open_channels(resolver, servers);

    if (status == ARES_SUCCESS) {
        *out = resolver;
        return 0;
    }
    resolver_free(resolver);
    if (servers != NULL && status != ARES_ENOMEM)
        return error_set(err, EX_USAGE, "no name server '%s': write 192.0.2.1 or [::1]:53",
                         servers);
    return error_set(err, status == ARES_ENOMEM ? EX_OSERR : EX_UNAVAILABLE,
                     "name servers: %s: see /etc/resolv.conf", ares_strerror(status));
}

void resolver_free(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    for (int i = 0; i < CHANNELS; i++)
        if (resolver->channels[i] != NULL)
            ares_destroy(resolver->channels[i]);
    ares_library_cleanup();
    free(resolver);
}

#else

int resolver_new(struct resolver **out, const char *servers, struct error *err)
{
    (void)out;
    (void)servers;
    return error_set(err, EX_UNAVAILABLE,
                     "built without c-ares: install libc-ares-dev, configure and make it again");
}

void resolver_free(struct resolver *resolver)
{
    (void)resolver;
}

int resolver_ask(struct resolver *resolver, const struct resolver_asker *asker, struct error *err)
{
    (void)resolver;
    (void)asker;
    return error_set(err, EX_UNAVAILABLE, "built without c-ares");
}

#endif
