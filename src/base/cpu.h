// What the processor can do, and what was asked for.
#pragma once

#include <string>

namespace memlayers::base {

enum class Isa { kBaseline, kAvx2, kAvx512, kAmx };

/// Best instruction set of this processor, lowered by MEMLAYERS_ISA=baseline|avx2|avx512|amx (for tests). Asking for
/// more than the processor has throws UsageError. avx2 means x86-64-v3 (with FMA), avx512 means x86-64-v4, amx means
/// avx512 with AVX512-BF16 and tiles of bfloat16, which the operating system must let the process use.
Isa isa();
std::string isa_name(Isa isa);
/// True where the processor multiplies bfloat16 natively (AVX512-BF16); `dtype: auto` asks this.
bool has_native_bfloat16();
std::string cpu_model_name();
int core_count();
/// Both in words, as results name the machine they come from.
std::string machine_text();
/// Resident and peak resident bytes of this process.
long long resident_bytes();
long long peak_resident_bytes();

}  // namespace memlayers::base
