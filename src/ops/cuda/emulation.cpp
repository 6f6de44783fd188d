#include "ops/cuda/emulation.h"

#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ops/cuda/fiber.h"

namespace memlayers::ops::emulation {
namespace {

constexpr int kLanes = 32;
constexpr int kMostThreads = 1024;
constexpr size_t kSharedBytes = 48 << 10;  // what a kernel may declare statically

enum class State { kRunnable, kAtMeeting, kAtBarrier, kDone };

struct Thread {
  Fiber fiber;
  State state = State::kDone;
  uint32_t warp_epoch = 0;
  // What it waits for.
  Meeting kind{};
  uint32_t mask = 0;
  uint64_t bits = 0, result = 0;
  int source = 0;
  Where where;
};

/// Lanes of a warp, as bits.
struct Warp {
  uint32_t waiting = 0;  // at a meeting
  uint32_t ended = 0;
};

struct SharedArray {
  std::string_view name;
  size_t bytes = 0;
  std::unique_ptr<uint64_t[]> data;
  std::vector<SharedCell> cells;
};

/// The block in progress. One at a time.
struct Block {
  std::vector<std::unique_ptr<Thread>> threads;
  std::vector<Warp> warps;
  std::vector<SharedArray> arrays;
  const std::function<void()>* body = nullptr;
  std::exception_ptr error;
  int64_t index = 0, grid = 0, started = 0;
  int count = 0, current = -1, at_barrier = 0, done = 0;
  uint32_t epoch = 1;
  Where barrier;
  bool reverse = false;
};

Block& block() {
  static Block the_block;
  return the_block;
}

Thread& self() { return *block().threads[size_t(block().current)]; }

const char* name_of(Meeting kind) {
  constexpr const char* kNames[] = {"a shuffle",         "__ballot_sync",     "__any_sync",
                                    "__all_sync",        "__reduce_max_sync", "__reduce_min_sync",
                                    "__reduce_add_sync", "__match_any_sync",  "__syncwarp"};
  return kNames[int(kind)];
}

std::string place(const Where& where) {
  const std::string_view path = where.file_name();
  return std::string(path.substr(path.rfind('/') + 1)) + ":" + std::to_string(where.line());
}

std::string hex(uint32_t mask) {
  char text[16];
  std::snprintf(text, sizeof(text), "0x%08x", mask);
  return text;
}

void thread_main(void*) {
  Block& b = block();
  try {
    (*b.body)();
  } catch (...) {
    if (!b.error) b.error = std::current_exception();
  }
  Thread& thread = self();
  thread.state = State::kDone;
  ++b.done;
  b.warps[size_t(b.current / kLanes)].ended |= 1u << (b.current % kLanes);
  thread.fiber.leave();
  std::abort();  // nobody resumes a thread that is done
}

// Warp meetings.

uint64_t outcome(Meeting kind, const Thread* const* lanes, uint32_t mask, int lane) {
  uint64_t result = kind == Meeting::kAll || kind == Meeting::kMin ? ~uint64_t{0} : 0;
  if (kind == Meeting::kShuffle) return lanes[lanes[lane]->source]->bits;
  for (int i = 0; i < kLanes; ++i) {
    if (!(mask >> i & 1)) continue;
    const uint64_t bits = lanes[i]->bits;
    switch (kind) {
      case Meeting::kBallot:
        result |= uint64_t(bits != 0) << i;
        break;
      case Meeting::kAny:
        result |= uint64_t(bits != 0);
        break;
      case Meeting::kAll:
        result &= uint64_t(bits != 0);
        break;
      case Meeting::kMax:
        result = std::max(result, bits);
        break;
      case Meeting::kMin:
        result = std::min(result, bits);
        break;
      case Meeting::kAdd:
        result += bits;
        break;
      case Meeting::kMatch:
        result |= uint64_t(bits == lanes[lane]->bits) << i;
        break;
      default:
        break;
    }
  }
  return result;
}

/// The warp's lanes by number; null where the block ends before.
struct WarpLanes {
  Thread* at[kLanes] = {};
  int first = 0;

  explicit WarpLanes(int thread) : first(thread / kLanes * kLanes) {
    for (int i = 0; i < kLanes && first + i < block().count; ++i) at[i] = block().threads[size_t(first + i)].get();
  }
};

void check_meeting(const WarpLanes& lanes, const Thread& me, int my_lane) {
  if (!(me.mask >> my_lane & 1)) {
    fail(std::string(name_of(me.kind)) + " with mask " + hex(me.mask) + ", which leaves out the calling lane",
         &me.where);
  }
  for (int i = 0; i < kLanes; ++i) {
    const bool wanted = me.mask >> i & 1;
    const Thread* other = lanes.at[i];
    if (wanted && (!other || other->state == State::kDone)) {
      fail(std::string(name_of(me.kind)) + " with mask " + hex(me.mask) + ", whose lane " + std::to_string(i) +
               (other ? " has ended" : " does not exist"),
           &me.where);
    }
    if (!other || other == &me || other->state != State::kAtMeeting || !(wanted || (other->mask >> my_lane & 1)))
      continue;
    if (other->kind != me.kind || other->mask != me.mask) {
      fail(std::string(name_of(me.kind)) + " with mask " + hex(me.mask) + " while lane " + std::to_string(i) +
               " is at " + name_of(other->kind) + " with mask " + hex(other->mask) + " (" + place(other->where) + ")",
           &me.where);
    }
    if (other->where.line() != me.where.line() || std::string_view(other->where.file_name()) != me.where.file_name()) {
      fail(std::string(name_of(me.kind)) + " while lane " + std::to_string(i) + " is at another one (" +
               place(other->where) + ")",
           &me.where);
    }
  }
  if (me.kind == Meeting::kShuffle && !(me.mask >> me.source & 1)) {
    fail("a shuffle reads lane " + std::to_string(me.source) + ", which mask " + hex(me.mask) + " leaves out",
         &me.where);
  }
  if (me.kind == Meeting::kWarpBarrier) {
    for (int i = 0; i < kLanes; ++i) {
      if (lanes.at[i] && lanes.at[i]->state != State::kDone && !(me.mask >> i & 1)) {
        fail("__syncwarp with mask " + hex(me.mask) + " leaves out lane " + std::to_string(i) +
                 "; the emulation knows barriers of whole warps",
             &me.where);
      }
    }
  }
}

/// True where a quick look shows that check_meeting would find nothing: whole warps meet alike most of the time, and
/// those who wait have been compared with each other.
bool agrees(const Warp& warp, const Thread& me, int my_lane) {
  if ((me.mask & warp.ended) || !(me.mask >> my_lane & 1) || (warp.waiting & ~me.mask)) return false;
  if (me.kind == Meeting::kShuffle && !(me.mask >> me.source & 1)) return false;
  if (warp.waiting == 0) return me.kind != Meeting::kWarpBarrier;
  const int first = block().current / kLanes * kLanes + std::countr_zero(warp.waiting);
  const Thread& other = *block().threads[size_t(first)];
  return other.kind == me.kind && other.mask == me.mask && other.where.line() == me.where.line() &&
         std::string_view(other.where.file_name()) == me.where.file_name();
}

// The turns.

void wait_for_others(State state) {
  Thread& me = self();
  me.state = state;
  me.fiber.leave();
}

void open_barrier() {
  Block& b = block();
  b.at_barrier = 0;
  ++b.epoch;
  for (int t = 0; t < b.count; ++t) b.threads[size_t(t)]->state = State::kRunnable;
}

[[noreturn]] void report_deadlock() {
  Block& b = block();
  std::string waiting;
  int named = 0;
  for (int t = 0; t < b.count && named < 4; ++t) {
    const Thread& thread = *b.threads[size_t(t)];
    if (thread.state == State::kDone) continue;
    const char* what = thread.state == State::kAtBarrier ? "__syncthreads" : name_of(thread.kind);
    waiting += std::string(named++ ? "; " : "") + "thread " + std::to_string(t) + " at " + what + " (" +
               place(thread.where) + ")";
  }
  throw EmulationError("block " + std::to_string(b.index) + ": nobody can go on: " + waiting + "; " +
                       std::to_string(b.done) + " of " + std::to_string(b.count) + " threads have ended");
}

void run_block() {
  Block& b = block();
  b.at_barrier = b.done = 0;
  b.epoch = 1;
  b.error = nullptr;
  b.arrays.clear();
  b.warps.assign(size_t((b.count + kLanes - 1) / kLanes), {});
  for (int t = 0; t < b.count; ++t) {
    Thread& thread = *b.threads[size_t(t)];
    thread.state = State::kRunnable;
    thread.warp_epoch = 1;
    thread.fiber.start(thread_main, nullptr);
  }
  while (b.done < b.count) {
    bool moved = false;
    for (int i = 0; i < b.count; ++i) {
      b.current = b.reverse ? b.count - 1 - i : i;
      Thread& thread = self();
      if (thread.state != State::kRunnable) continue;
      moved = true;
      thread.fiber.resume();
      if (b.error) std::rethrow_exception(b.error);
    }
    if (moved) continue;
    if (b.at_barrier == 0 || b.at_barrier < b.count) report_deadlock();
    open_barrier();
  }
}

}  // namespace

int thread_index() { return block().current; }
int block_threads() { return block().count; }
int64_t block_index() { return block().index; }
int64_t grid_blocks() { return block().grid; }
int64_t blocks_run() { return block().started; }
int current_lane() { return block().current % kLanes; }

void fail(const std::string& what, const Where* where) {
  throw EmulationError("block " + std::to_string(block().index) + ", thread " + std::to_string(block().current) + ": " +
                       what + (where ? " (" + place(*where) + ")" : ""));
}

void run(int64_t blocks, int threads, const std::function<void()>& body) {
  Block& b = block();
  if (threads < 1 || threads > kMostThreads) {
    throw EmulationError("a block of " + std::to_string(threads) + " threads; 1 to 1024 are possible");
  }
  while (int(b.threads.size()) < threads) b.threads.push_back(std::make_unique<Thread>());
  const char* order = std::getenv("MEMLAYERS_EMULATION_ORDER");
  b.reverse = order && std::string_view(order) == "reverse";
  b.body = &body;
  b.count = threads;
  b.grid = blocks;
  for (int64_t i = 0; i < blocks; ++i) {
    b.index = b.reverse ? blocks - 1 - i : i;
    ++b.started;
    run_block();
  }
}

void* find_shared(const char* name, size_t elements, size_t element_bytes, SharedCell** cells) {
  Block& b = block();
  const size_t bytes = elements * element_bytes;
  size_t total = bytes;
  for (SharedArray& array : b.arrays) {
    if (array.name == name && array.bytes == bytes) {
      *cells = array.cells.data();
      return array.data.get();
    }
    total += array.bytes;
  }
  if (total > kSharedBytes) {
    fail("shared arrays of " + std::to_string(total) + " bytes; 49152 is the most (with " + name + ")");
  }
  b.arrays.push_back({name, bytes, std::make_unique<uint64_t[]>((bytes + 7) / 8), std::vector<SharedCell>(elements)});
  *cells = b.arrays.back().cells.data();
  return b.arrays.back().data.get();
}

namespace {

/// Whether what `group` did comes before what this thread does now: by itself, or with a barrier in between.
bool is_before(const SharedCell::Group& group) {
  const Block& b = block();
  if (group.block_epoch != b.epoch) return true;
  const int warp = b.current / kLanes;
  if (group.warp != warp) return false;
  return group.warp_epoch != b.threads[size_t(b.current)]->warp_epoch || group.lane == b.current % kLanes;
}

void join(SharedCell::Group& group) {
  const Block& b = block();
  const auto warp = int16_t(b.current / kLanes), lane = int16_t(b.current % kLanes);
  const uint32_t warp_epoch = b.threads[size_t(b.current)]->warp_epoch;
  if (group.block_epoch != b.epoch) {
    group = {b.epoch, warp_epoch, warp, lane};
  } else if (group.warp != warp) {
    group.warp = -1;
  } else if (group.warp_epoch != warp_epoch) {
    group.warp_epoch = warp_epoch;
    group.lane = lane;
  } else if (group.lane != lane) {
    group.lane = -1;
  }
}

std::string describe(const SharedCell::Group& group) {
  if (group.warp < 0) return "threads of several warps";
  if (group.lane < 0) return "several lanes of warp " + std::to_string(group.warp);
  return "thread " + std::to_string(group.warp * kLanes + group.lane);
}

}  // namespace

void note_access(SharedCell& cell, Access access, const char* array, int64_t index) {
  const auto conflict = [&](const char* did, const SharedCell::Group& group, const char* doing) {
    fail(std::string("race on ") + array + "[" + std::to_string(index) + "]: " + describe(group) + " " + did +
         " it, this thread " + doing + " it, and no barrier stands between");
  };
  const char* doing = access == Access::kRead ? "reads" : "writes";
  if (cell.written.block_epoch == 0 && access != Access::kWrite) {
    fail(std::string(array) + "[" + std::to_string(index) + "] is read before it was written");
  }
  const bool both_atomic = access == Access::kAtomic && cell.atomically;
  if (!both_atomic && !is_before(cell.written)) conflict("wrote", cell.written, doing);
  if (access != Access::kRead && !is_before(cell.read)) conflict("read", cell.read, doing);
  if (access == Access::kRead) return join(cell.read);
  const bool fresh = !both_atomic;
  cell.atomically = access == Access::kAtomic;
  if (fresh) cell.written = {};
  join(cell.written);
}

uint64_t meet(Meeting kind, uint32_t mask, uint64_t bits, int source, const Where& where) {
  Block& b = block();
  const int lane = b.current % kLanes;
  Thread& me = self();
  me.kind = kind;
  // Lanes past the end of a short block do not exist; a full mask means those that do.
  const int in_warp = std::min(kLanes, b.count - b.current / kLanes * kLanes);
  me.mask = mask == 0xFFFFFFFF && in_warp < kLanes ? (1u << in_warp) - 1 : mask;
  me.bits = bits;
  me.source = source;
  me.where = where;
  Warp& warp = b.warps[size_t(b.current / kLanes)];
  if (!agrees(warp, me, lane)) check_meeting(WarpLanes(b.current), me, lane);
  warp.waiting |= 1u << lane;
  if ((warp.waiting & me.mask) != me.mask) {
    wait_for_others(State::kAtMeeting);
    return me.result;
  }
  warp.waiting &= ~me.mask;
  const WarpLanes lanes(b.current);
  // The last to come: everybody's outcome, then all go on.
  uint64_t results[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    if (me.mask >> i & 1) results[i] = outcome(kind, lanes.at, me.mask, i);
  }
  for (int i = 0; i < kLanes; ++i) {
    if (!(me.mask >> i & 1)) continue;
    lanes.at[i]->result = results[i];
    lanes.at[i]->state = State::kRunnable;
    if (kind == Meeting::kWarpBarrier) ++lanes.at[i]->warp_epoch;
  }
  return me.result;
}

void block_barrier(const Where& where) {
  Block& b = block();
  if (b.done > 0) fail("__syncthreads after " + std::to_string(b.done) + " threads of the block have ended", &where);
  if (b.at_barrier > 0 &&
      (b.barrier.line() != where.line() || std::string_view(b.barrier.file_name()) != where.file_name())) {
    fail("__syncthreads while other threads are at another one (" + place(b.barrier) + ")", &where);
  }
  b.barrier = where;
  self().where = where;
  ++b.at_barrier;
  wait_for_others(State::kAtBarrier);
}

}  // namespace memlayers::ops::emulation
