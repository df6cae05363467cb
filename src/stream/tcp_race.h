/*
 * Between tcp.c and tcp_race.c alone. A RACE is a connection to that one of several addresses which is the first to take it
 * (RFC 8305): families take turns, the resolver's favourite first, and the next address is tried as soon as one fails, or 250 ms
 * after the one before it was begun. At most 16 addresses are tried.
 */
#ifndef STREAM_TCP_RACE_H
#define STREAM_TCP_RACE_H
#include "stream/stream.h"
struct addrinfo;
struct race;
/* Takes the list, at failure too. host is lent: for sentences. */
int race_new(struct race **, struct addrinfo *list, const char *host, uint16_t port, struct hf_error *);
/* The winner's descriptor, which is the caller's, and its name: "HOST port N (ADDR)"; STREAM_WANT_WRITE; STREAM_ERR when nobody took
 * it: the sentence tells of each. */
ssize_t race_run(struct race *, char name[400], struct hf_error *);
void race_wait(const struct race *, int *fd, short *events);
/* Closes all but the winner. NULL is fine. */
void race_free(struct race *);
#endif
