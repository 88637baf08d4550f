/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/lint_dns.c: asks for the MX of each new domain, then for the addresses of each MX, and judges. RFC 5321 section
 * 5.1 (how mail finds a domain), RFC 7505 (null MX). */
#include "ctl/lint.h"

#include "base/network.h"
#include "net/resolver.h"

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

/* A new domain. */
struct domain {
    struct noted noted; /* the entries that lead here */
    enum resolver_result mx;
    const char *why;     /* RESOLVER_FAILED */
    struct host **hosts; /* count of them, best first; of a domain without MX the domain itself */
    size_t count;
};

struct lint_domains {
    struct resolver *resolver;
    struct names domains, hosts;
    struct ip *ours; /* ours_count addresses of this host */
    size_t ours_count;
    bool out_of_memory;

    struct progress *progress;
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

static bool is_ours(const struct lint_domains *domains, const struct ip *ip)
{
    for (size_t i = 0; i < domains->ours_count; i++)
        if (memcmp(&domains->ours[i], ip, sizeof *ip) == 0)
            return true;
    return is_everywhere(ip);
}

static int read_interfaces(struct lint_domains *domains)
{
    struct ifaddrs *list;
    size_t count = 0;

    if (getifaddrs(&list) != 0)
        return -1;
    for (struct ifaddrs *at = list; at != NULL; at = at->ifa_next)
        count++;
    domains->ours = calloc(count + 1, sizeof *domains->ours);
    for (struct ifaddrs *at = list; at != NULL && domains->ours != NULL; at = at->ifa_next)
        if (ip_from_sockaddr(&domains->ours[domains->ours_count], at->ifa_addr))
            domains->ours_count++;
    freeifaddrs(list);
    return domains->ours == NULL ? -1 : 0;
}

/* Behind NAT, this host may know only its name, not its public address. */
static bool is_our_name(const char *name)
{
    char ours[256] = "";
    return gethostname(ours, sizeof ours - 1) == 0 && strchr(ours, '.') != NULL &&
           strcasecmp(ours, name) == 0;
}

/* ---- the domains */

static void clear_domain(void *kept)
{
    struct domain *domain = kept;
    lint_clear_noted(domain);
    free(domain->hosts);
}

int lint_domains_new(struct lint_domains **out, const char *servers, struct error *err)
{
    struct lint_domains *domains = calloc(1, sizeof *domains);
    int rc = domains == NULL || read_interfaces(domains) != 0 ? error_no_memory(err) : 0;
    if (rc == 0)
        rc = resolver_new(&domains->resolver, servers, err);
    if (rc != 0)
        lint_domains_free(domains);
    else
        *out = domains;
    return rc;
}

void lint_domains_free(struct lint_domains *domains)
{
    if (domains == NULL)
        return;
    names_free(&domains->domains, clear_domain);
    names_free(&domains->hosts, NULL);
    resolver_free(domains->resolver);
    free(domains->ours);
    free(domains);
}

int lint_domains_add(struct lint_domains *domains, const char *name, const char *old,
                     struct error *err)
{
    return lint_note(&domains->domains, sizeof(struct domain), name, old, err);
}

/* ---- asking for the MX of each domain, then for the addresses of each host */

static void set_hosts(struct lint_domains *domains, struct domain *domain, const char *const *names,
                      size_t count)
{
    domain->hosts = calloc(count, sizeof(struct host *));
    domains->out_of_memory |= domain->hosts == NULL;
    for (size_t i = 0; i < count && !domains->out_of_memory; i++) {
        if (names[i][0] == '\0') /* a null MX has no host; beside others it says nothing */
            continue;
        struct host *host = names_add(&domains->hosts, names[i], sizeof *host);
        domains->out_of_memory = host == NULL;
        if (host != NULL)
            host->is_ours = is_our_name(names[i]);
        domain->hosts[domain->count++] = host;
    }
}

static void on_mx(const struct resolver_question *question, const struct resolver_answer *answer,
                  void *data)
{
    struct lint_domains *domains = data;
    struct domain *domain = question->data;
    const char *itself = domain->noted.name.text;

    progress_step(domains->progress);
    domain->mx = answer->result;
    domain->why = answer->why;
    if (answer->result == RESOLVER_FOUND)
        set_hosts(domains, domain, answer->hosts, answer->count);
    if (answer->result == RESOLVER_NOTHING)
        set_hosts(domains, domain, &itself, 1);
}

static void on_address(const struct resolver_question *question,
                       const struct resolver_answer *answer, void *data)
{
    struct lint_domains *domains = data;
    struct host *host = question->data;
    progress_step(domains->progress);
    if (answer->result == RESOLVER_FAILED)
        host->why = answer->why;
    if (answer->result != RESOLVER_FOUND)
        return;
    host->has_address = true;
    for (size_t i = 0; i < answer->count; i++)
        host->is_ours = host->is_ours || is_ours(domains, &answer->addresses[i]);
}

static bool next_question(struct resolver_question *out, void *data)
{
    struct lint_domains *domains = data;
    const struct name *name = domains->next;
    if (name == NULL)
        return false;
    *out = (struct resolver_question){name->text, domains->type, (void *)name};
    domains->next = name->next;
    return true;
}

static int ask(struct lint_domains *domains, const struct names *names, enum resolver_type type,
               const char *what, struct error *err)
{
    const struct resolver_asker asker = {next_question, type == RESOLVER_MX ? on_mx : on_address,
                                         domains};
    domains->next = names->first;
    domains->type = type;
    progress_begin(domains->progress, what, names->count);
    domains->progress->unit = "questions";
    int rc = resolver_ask(domains->resolver, &asker, err);
    progress_clear(domains->progress);
    return rc == 0 && domains->out_of_memory ? error_no_memory(err) : rc;
}

/* ---- judging */

/* Reports one finding. */
#define tell(domain, finding, ...)                                                                 \
    report_add(report, finding,                                                                    \
               &(const struct about){(domain)->noted.old, (domain)->noted.name.text,               \
                                     (domain)->noted.entries},                                     \
               err, __VA_ARGS__)

static int judge_hosts(const struct domain *domain, struct lint_report *report, struct error *err)
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
                        domain->noted.name.text, why);
        return tell(domain, FINDING_NO_MAIL,
                    has_mx ? "no MX of %s has an address, so it receives no mail"
                           : "%s has no MX and no address, so it receives no mail",
                    domain->noted.name.text);
    }
    if (ours != NULL)
        return tell(domain, FINDING_THIS_HOST, "the MX of %s is this host (%s)",
                    domain->noted.name.text, ours->name.text);
    if (!has_mx)
        return tell(domain, FINDING_NO_MX, "%s has no MX, and receives mail only by its address",
                    domain->noted.name.text);
    return 0;
}

static int judge(const struct domain *domain, struct lint_report *report, struct error *err)
{
    switch (domain->mx) {
    case RESOLVER_NO_NAME:
        return tell(domain, FINDING_NO_DOMAIN, "the domain %s does not exist",
                    domain->noted.name.text);
    case RESOLVER_FAILED:
        return tell(domain, FINDING_DNS_FAILED, "it is not known where %s receives mail (%s)",
                    domain->noted.name.text, domain->why);
    case RESOLVER_FOUND:
        if (domain->count == 0)
            return tell(domain, FINDING_NULL_MX, "%s has a null MX and accepts no mail",
                        domain->noted.name.text);
        break;
    case RESOLVER_NOTHING: break;
    }
    return judge_hosts(domain, report, err);
}

int lint_domains_check(struct lint_domains *domains, struct lint_report *report, struct error *err)
{
    domains->progress = &report->progress;
    if (ask(domains, &domains->domains, RESOLVER_MX, "asking for MX", err) != 0 ||
        ask(domains, &domains->hosts, RESOLVER_A, "asking for addresses", err) != 0 ||
        ask(domains, &domains->hosts, RESOLVER_AAAA, "asking for IPv6 addresses", err) != 0)
        return -1;
    for (const struct name *at = domains->domains.first; at != NULL; at = at->next)
        if (judge((const struct domain *)(const void *)at, report, err) != 0)
            return -1;
    return 0;
}
