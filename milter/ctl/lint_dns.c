/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/lint_dns.c: asks for the MX of each new domain, then for the addresses of each MX, and judges. RFC 5321 section
 * 5.1 (how mail finds a domain), RFC 7505 (null MX). */
#include "ctl/lint.h"

#include "base/network.h"
#include "ctl/progress.h"

#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* A host that receives mail. */
struct host {
    struct name name;
    bool has_address, is_ours;
    const char *why; /* why its addresses are not known; NULL: they are */
};

struct dns {
    struct names hosts; /* struct host */
    struct ip *ours;    /* heap, ours_count addresses of this host */
    size_t ours_count;
    bool out_of_memory;
    const struct name *next; /* to be asked for, with this type */
    enum resolver_type type;
};

/* ---- this host */

static bool is_everywhere(const struct ip *ip) /* loopback and "any": each host's own */
{
    static const struct ip none = {{0}}, loopback = {{[15] = 1}};
    if (ip_is_v4(ip))
        return ip->octets[12] == 127 || ip->octets[12] == 0;
    return memcmp(ip, &none, sizeof none) == 0 || memcmp(ip, &loopback, sizeof loopback) == 0;
}

static bool is_ours(const struct dns *dns, const struct ip *ip)
{
    for (size_t i = 0; i < dns->ours_count; i++)
        if (memcmp(&dns->ours[i], ip, sizeof *ip) == 0)
            return true;
    return is_everywhere(ip);
}

static int read_interfaces(struct dns *dns)
{
    struct ifaddrs *list;
    size_t count = 0;

    if (getifaddrs(&list) != 0)
        return -1;
    for (struct ifaddrs *at = list; at != NULL; at = at->ifa_next)
        count++;
    dns->ours = calloc(count + 1, sizeof *dns->ours);
    for (struct ifaddrs *at = list; at != NULL && dns->ours != NULL; at = at->ifa_next)
        if (ip_from_sockaddr(&dns->ours[dns->ours_count], at->ifa_addr))
            dns->ours_count++;
    freeifaddrs(list);
    return dns->ours == NULL ? -1 : 0;
}

/* Behind NAT, this host may know only its name, not its public address. */
static bool is_our_name(const char *name)
{
    char ours[256] = "";
    return gethostname(ours, sizeof ours - 1) == 0 && strchr(ours, '.') != NULL &&
           strcasecmp(ours, name) == 0;
}

/* ---- asking for the MX of each domain, then for the addresses of each host */

static void set_hosts(struct dns *dns, struct about *domain, const char *const *names, size_t count)
{
    domain->hosts = calloc(count, sizeof(struct host *));
    dns->out_of_memory |= domain->hosts == NULL;
    for (size_t i = 0; i < count && !dns->out_of_memory; i++) {
        if (names[i][0] == '\0') /* a null MX has no host; beside others it says nothing */
            continue;
        struct host *host = names_add(&dns->hosts, names[i], sizeof *host);
        dns->out_of_memory = host == NULL;
        if (host != NULL)
            host->is_ours = is_our_name(names[i]);
        domain->hosts[domain->count++] = host;
    }
}

static void on_mx(const struct resolver_question *question, const struct resolver_answer *answer,
                  void *data)
{
    struct dns *dns = data;
    struct about *domain = question->data;
    const char *itself = domain->name.text;

    progress_step();
    domain->mx = answer->result;
    domain->why = answer->why;
    if (answer->result == RESOLVER_FOUND)
        set_hosts(dns, domain, answer->hosts, answer->count);
    if (answer->result == RESOLVER_NOTHING)
        set_hosts(dns, domain, &itself, 1);
}

static void on_address(const struct resolver_question *question,
                       const struct resolver_answer *answer, void *data)
{
    struct dns *dns = data;
    struct host *host = question->data;
    progress_step();
    if (answer->result == RESOLVER_FAILED)
        host->why = answer->why;
    if (answer->result != RESOLVER_FOUND)
        return;
    host->has_address = true;
    for (size_t i = 0; i < answer->count; i++)
        host->is_ours = host->is_ours || is_ours(dns, &answer->addresses[i]);
}

static bool next_question(struct resolver_question *out, void *data)
{
    struct dns *dns = data;
    const struct name *name = dns->next;
    if (name == NULL)
        return false;
    *out = (struct resolver_question){name->text, dns->type, (void *)name};
    dns->next = name->next;
    return true;
}

static int ask(struct dns *dns, struct resolver *resolver, const struct names *names,
               enum resolver_type type, const char *what, struct error *err)
{
    const struct resolver_asker asker = {next_question, type == RESOLVER_MX ? on_mx : on_address,
                                         dns};
    dns->next = names->first;
    dns->type = type;
    progress_begin(what, "questions", names->count);
    int rc = resolver_ask(resolver, &asker, err);
    progress_clear();
    return rc == 0 && dns->out_of_memory ? error_no_memory(err) : rc;
}

/* ---- judging */

/* Reports one finding. */
#define tell(domain, finding, ...) report_add(report, finding, domain, err, __VA_ARGS__)

static int judge_hosts(const struct about *domain, struct lint_report *report, struct error *err)
{
    const char *why = NULL; /* why it is not known whether a host has an address */
    const struct host *ours = NULL;
    bool has_mx = domain->mx == RESOLVER_FOUND, has_address = false;

    for (size_t i = 0; i < domain->count; i++) {
        const struct host *host = domain->hosts[i];
        has_address |= host->has_address;
        why = host->why == NULL ? why : host->why;
        ours = host->is_ours && ours == NULL ? host : ours;
    }
    if (!has_address) {
        if (why != NULL)
            return tell(domain, FINDING_DNS_FAILED, "it is not known where %s receives mail (%s)",
                        domain->name.text, why);
        return tell(domain, FINDING_NO_MAIL,
                    has_mx ? "no MX of %s has an address, so it receives no mail"
                           : "%s has no MX and no address, so it receives no mail",
                    domain->name.text);
    }
    if (ours != NULL)
        return tell(domain, FINDING_THIS_HOST, "the MX of %s is this host (%s)", domain->name.text,
                    ours->name.text);
    if (!has_mx)
        return tell(domain, FINDING_NO_MX, "%s has no MX, and receives mail only by its address",
                    domain->name.text);
    return 0;
}

static int judge(const struct about *domain, struct lint_report *report, struct error *err)
{
    switch (domain->mx) {
    case RESOLVER_NO_NAME:
        return tell(domain, FINDING_NO_DOMAIN, "the domain %s does not exist", domain->name.text);
    case RESOLVER_FAILED:
        return tell(domain, FINDING_DNS_FAILED, "it is not known where %s receives mail (%s)",
                    domain->name.text, domain->why);
    case RESOLVER_FOUND:
        if (domain->count == 0)
            return tell(domain, FINDING_NULL_MX, "%s has a null MX and accepts no mail",
                        domain->name.text);
        break;
    case RESOLVER_NOTHING: break;
    }
    return judge_hosts(domain, report, err);
}

int lint_dns(struct resolver *resolver, const struct names *domains, struct lint_report *report,
             struct error *err)
{
    struct dns dns = {.next = NULL};
    int rc = read_interfaces(&dns) != 0 ? error_no_memory(err) : 0;
    if (rc == 0)
        rc = ask(&dns, resolver, domains, RESOLVER_MX, "asking for MX", err);
    if (rc == 0)
        rc = ask(&dns, resolver, &dns.hosts, RESOLVER_A, "asking for addresses", err);
    if (rc == 0)
        rc = ask(&dns, resolver, &dns.hosts, RESOLVER_AAAA, "asking for IPv6 addresses", err);
    for (const struct name *at = domains->first; rc == 0 && at != NULL; at = at->next)
        rc = judge((const struct about *)(const void *)at, report, err);
    names_free(&dns.hosts, NULL);
    free(dns.ours);
    return rc;
}
