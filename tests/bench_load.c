/* A load generator for a DICOM Verification SCP: one process, one epoll loop, canned PDUs, every failure counted.
 *
 *   bench_load PORT assoc CLIENTS SECONDS    whole associations: connect, associate, one echo, release
 *   bench_load PORT echo  CLIENTS SECONDS    echoes in associations that stay open
 *   bench_load PORT hold  COUNT   SECONDS    COUNT associations at once; after SECONDS an echo on each
 *
 * Reads the A-ASSOCIATE-RQ, the C-ECHO-RQ and the A-RELEASE-RQ from standard input, each after its length (4 bytes,
 * big endian). Prints: done, seconds that it took, median and 99th percentile in milliseconds, failures.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum step { CONNECT, ASSOCIATE, ECHO, RELEASE, HELD, OVER };
struct client { int fd; enum step step; unsigned have; double since; unsigned char data[4096]; };
struct message { unsigned length; unsigned char bytes[4096]; };

static struct message request[3];
static struct sockaddr_in target;
static int loop, keep_open, holding;
static long done, failed;
static double *times, deadline;
static size_t timed, room;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void record(double seconds) {
  if (timed == room) {
    room = room ? 2 * room : 1 << 16;
    times = realloc(times, room * sizeof *times);
    if (!times) exit(2);
  }
  times[timed++] = seconds;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void open_one(struct client *c) {
  int one = 1;
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  c->step = CONNECT;
  c->have = 0;
  c->since = now();
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(c->fd, (struct sockaddr *)&target, sizeof target) && errno != EINPROGRESS) {
    failed++;
    close(c->fd);
    c->step = OVER;
    return;
  }
  epoll_ctl(loop, EPOLL_CTL_ADD, c->fd, &event);
}

/* The release is over when this is called, or something failed: a reset leaves no socket in TIME_WAIT behind. */
static void close_one(struct client *c, int good) {
  struct linger at_once = {1, 0};
  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(c->fd);
  c->step = OVER;
  if (good) done++; else failed++;
}

static void say(struct client *c, enum step step) {
  struct message *m = &request[step - ASSOCIATE];
  c->step = step;
  if (send(c->fd, m->bytes, m->length, MSG_NOSIGNAL) != (ssize_t)m->length) close_one(c, 0);
}

static void answered(struct client *c) {
  static const unsigned char due[] = {0, 2, 4, 6};
  enum step was = c->step;
  if (was > RELEASE || c->data[0] != due[was]) { close_one(c, 0); return; }
  if (was == ASSOCIATE) {
    if (holding) { c->step = HELD; return; }
    if (keep_open) c->since = now();
    say(c, ECHO);
  } else if (was == ECHO && (keep_open || holding)) {
    record(now() - c->since);
    done++;
    if (holding) { c->step = OVER; close(c->fd); return; }
    c->since = now();
    say(c, ECHO);
  } else if (was == ECHO) {
    say(c, RELEASE);
  } else {
    record(now() - c->since);
    close_one(c, 1);
    if (now() < deadline) open_one(c);
  }
}

static void readable(struct client *c) {
  ssize_t got = recv(c->fd, c->data + c->have, sizeof c->data - c->have, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    close_one(c, 0);
    if (!holding && now() < deadline) open_one(c);
    return;
  }
  c->have += got;
  if (c->have < 6) return;
  uint32_t length;
  memcpy(&length, c->data + 2, 4);
  if (c->have < 6 + ntohl(length)) return;
  c->have = 0;
  answered(c);
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  int count = atoi(argv[3]), echoing = 0;
  double start = now(), limit, from = start;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  for (int i = 0; i < 3; i++) {
    uint32_t length;
    if (fread(&length, 4, 1, stdin) != 1 || ntohl(length) > sizeof request[i].bytes) return 2;
    request[i].length = ntohl(length);
    if (fread(request[i].bytes, 1, request[i].length, stdin) != request[i].length) return 2;
  }
  keep_open = !strcmp(argv[2], "echo");
  holding = !strcmp(argv[2], "hold");
  target.sin_family = AF_INET;
  target.sin_port = htons(atoi(argv[1]));
  inet_pton(AF_INET, "127.0.0.1", &target.sin_addr);
  loop = epoll_create1(0);
  struct client *clients = calloc(count, sizeof *clients);
  deadline = start + atof(argv[4]);
  limit = deadline + (holding ? 60 : 0);
  int opened = 0;
  while (now() < limit) {
    for (int burst = 0; opened < count && (burst < 16 || !holding); burst++) open_one(&clients[opened++]);
    if (holding) {
      int ready = 0, over = 0;
      for (int i = 0; i < opened; i++) { ready += clients[i].step == HELD; over += clients[i].step == OVER; }
      if (!echoing && opened == count && ready + over == count) {
        if (deadline < from + 1e-9 || ready == 0) break;
        if (!(echoing = now() >= deadline)) { if (deadline - start < 0) break; }
        for (int i = 0; echoing && i < count; i++)
          if (clients[i].step == HELD) { clients[i].since = now(); say(&clients[i], ECHO); }
      } else if (echoing && over == count) break;
    }
    struct epoll_event events[256];
    int ready = epoll_wait(loop, events, 256, 20);
    for (int i = 0; i < ready; i++) {
      struct client *c = events[i].data.ptr;
      if (c->step == OVER) continue;
      if (c->step == CONNECT) {
        int error = 0;
        socklen_t size = sizeof error;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) { close_one(c, 0); continue; }
        epoll_ctl(loop, EPOLL_CTL_MOD, c->fd, &event);
        say(c, ASSOCIATE);
        continue;
      }
      readable(c);
    }
  }
  double took = now() - start;
  qsort(times, timed, sizeof *times, ascending);
  printf("%ld %.3f %.3f %.3f %ld\n", done, took, timed ? times[timed / 2] * 1e3 : 0,
         timed ? times[(size_t)((timed - 1) * 0.99)] * 1e3 : 0, failed);
  return 0;
}
