#include "base/cpu.h"

#include <cstdlib>
#include <fstream>
#include <string_view>
#include <thread>

#include <sys/resource.h>
#include <unistd.h>
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#endif

#include "base/error.h"

namespace memlayers::base {
namespace {

/// Whether this process may use tiles of bfloat16. Linux gives their registers to a process that asks for them.
bool has_tiles() {
#if defined(__x86_64__) && defined(__linux__)
  constexpr unsigned kTiles = 1u << 24, kBfloat16Tiles = 1u << 22;  // of CPUID leaf 7, EDX
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  if ((d & kTiles) == 0 || (d & kBfloat16Tiles) == 0) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

Isa processor_isa() {
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  if (v4 && __builtin_cpu_supports("avx512bf16") && has_tiles()) return Isa::kAmx;
  return v4 ? Isa::kAvx512 : v3 ? Isa::kAvx2 : Isa::kBaseline;
}

Isa chosen_isa() {
  const Isa best = processor_isa();
  const char* wanted = std::getenv("MEMLAYERS_ISA");
  if (!wanted || !*wanted) return best;
  for (Isa candidate : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512, Isa::kAmx}) {
    if (isa_name(candidate) != wanted) continue;
    check(candidate <= best, "MEMLAYERS_ISA=", wanted, ": this processor has no more than ", isa_name(best));
    return candidate;
  }
  throw UsageError(concat("MEMLAYERS_ISA=", wanted, ": expected baseline, avx2, avx512 or amx"));
}

}  // namespace

Isa isa() {
  static const Isa chosen = chosen_isa();
  return chosen;
}

std::string isa_name(Isa isa) {
  switch (isa) {
    case Isa::kBaseline:
      return "baseline";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAmx:
      return "amx";
  }
  return "unknown";
}

bool has_native_bfloat16() {
  __builtin_cpu_init();
  return isa() >= Isa::kAvx512 && __builtin_cpu_supports("avx512bf16");
}

std::string cpu_model_name() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

int core_count() { return std::max(1, int(std::thread::hardware_concurrency())); }

std::string machine_text() { return cpu_model_name() + ", " + std::to_string(core_count()) + " cores"; }

long long resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  long long size = 0, resident = 0;
  statm >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

long long peak_resident_bytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024LL;
}

}  // namespace memlayers::base
