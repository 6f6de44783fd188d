// The ops of decoding inside a CUDA graph, on the emulation: they record without asking the device, replays read what
// is in the same buffers by then, and a slot outside the table is reported afterwards.
#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "ops/cuda/emulated_graph.h"
#include "ops/cuda/emulation.h"
#include "ops/memory_bag/memory_bag.h"
#include "ops/memory_bag/recorded_bags.h"
#include "ops/product_key_topk/product_key_topk.h"
#include "ops/quantized_bag/quantized_rows.h"
#include "ops/row_update/row_update.h"
#include "support/tolerance.h"
#include "support/usage_error.h"

namespace memlayers::ops {
namespace {

using tests::bit_equal;
using tests::usage_error;

/// While it lives, tensors get memory that stays until the end, as a graph's own pool gives.
class GraphMemory final : public c10::Allocator {
 public:
  GraphMemory() : inner_(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this, kPriority); }
  ~GraphMemory() override { stop(); }
  void stop() { c10::SetCPUAllocator(inner_, kPriority); }

  c10::DataPtr allocate(size_t bytes) override {
    kept_.push_back(inner_->allocate(bytes));
    return {kept_.back().get(), kept_.back().get(), raw_deleter(), kept_.back().device()};
  }
  c10::DeleterFnPtr raw_deleter() const override {
    return [](void*) {};
  }
  void copy_data(void* target, const void* source, size_t bytes) const override {
    inner_->copy_data(target, source, bytes);
  }

 private:
  static constexpr uint8_t kPriority = 100;
  c10::Allocator* inner_;
  std::vector<c10::DataPtr> kept_;
};

/// What `decode` puts on the stream, and the tensor it returns, which replays fill.
struct Recorded {
  GraphMemory memory;
  emulation::Graph graph;
  at::Tensor output;

  explicit Recorded(const std::function<at::Tensor()>& decode) {
    {
      const emulation::Recording recording(graph);
      output = decode();
    }
    memory.stop();
  }
};

using Read = std::function<at::Tensor(const at::Tensor& slots, const at::Tensor& weights)>;

/// memory_bag of the same rows in each form that a table may have.
std::vector<std::pair<std::string, Read>> tables(int64_t num_slots, int64_t value_dim) {
  const at::Tensor wide = at::randn({num_slots, value_dim}), narrow = wide.to(at::kBFloat16);
  std::vector<std::pair<std::string, Read>> result;
  for (const at::Tensor& table : {wide, narrow}) {
    result.emplace_back(base::concat(table.dtype()), [table](const at::Tensor& slots, const at::Tensor& weights) {
      return memory_bag(table, slots, weights, nullptr);
    });
  }
  for (int64_t bits : {8, 4}) {
    const QuantizedRows rows = quantize_rows(wide, bits);
    result.emplace_back(base::concat(bits, " bits"), [rows](const at::Tensor& slots, const at::Tensor& weights) {
      return memory_bag(rows, slots, weights);
    });
  }
  return result;
}

TEST(RecordedGraph, ReplaysSelectAndReadForNewQueries) {
  at::manual_seed(1);
  constexpr int64_t kTokens = 5, kHeads = 2, kSubKeys = 110;
  const at::Tensor keys = at::randn({kHeads, 2, kSubKeys, 4});
  for (const auto& [name, read] : tables(kSubKeys * kSubKeys, 20)) {
    for (int64_t k : {8, 100}) {  // by lists beside the scores, and from scratch memory
      SCOPED_TRACE(base::concat(name, " k ", k));
      const at::Tensor query = at::randn({kTokens, kHeads, 8});
      const auto decode = [&, &read_bag = read] {
        const TopK best = product_key_topk(query, keys, k);
        return read_bag(best.slots.view({kTokens, kHeads * k}), best.scores.view({kTokens, kHeads * k}));
      };
      const int64_t blocks = emulation::blocks_run();
      const Recorded recorded(decode);
      EXPECT_EQ(emulation::blocks_run(), blocks) << "recording runs nothing";
      for (int round = 0; round < 3; ++round) {
        query.copy_(at::randn(query.sizes()));
        const at::Tensor expected = decode();
        recorded.graph.replay();
        EXPECT_TRUE(bit_equal(recorded.output, expected));
      }
      EXPECT_EQ(usage_error([&] { check_recorded_bags(keys); }), "no error");
    }
  }
}

TEST(RecordedGraph, ASlotOutsideIsReportedAtTheNextCallThatWaits) {
  at::manual_seed(2);
  for (const auto& [name, read] : tables(30, 20)) {
    for (int64_t outside : {int64_t{30}, int64_t{-1}, int64_t{1} << 60}) {
      SCOPED_TRACE(base::concat(name, " slot ", outside));
      const at::Tensor slots = at::randint(30, {4, 3}, at::kLong), weights = at::randn({4, 3}), inside = slots.clone();
      const Recorded recorded([&, &read_bag = read] { return read_bag(slots, weights); });
      slots[2][1] = outside;
      recorded.graph.replay();
      const std::string message = usage_error([&] { check_recorded_bags(weights); });
      EXPECT_NE(message.find(base::concat("replayed with slot ", outside, ", which is outside")), std::string::npos)
          << message;
      EXPECT_EQ(usage_error([&] { check_recorded_bags(weights); }), "no error") << "it is said once";
      // Slot 0 took its place, so nothing was read that is not there.
      inside[2][1] = 0;
      EXPECT_TRUE(bit_equal(recorded.output, read(inside, weights)));

      recorded.graph.replay();
      EXPECT_EQ(usage_error([&, &read_bag = read] { read_bag(inside, weights); }), message) << "a bag says it too";
      slots.copy_(inside);
      recorded.graph.replay();
      EXPECT_TRUE(bit_equal(recorded.output, read(inside, weights)));
    }
  }
}

TEST(RecordedGraph, OutsideOfAGraphASlotIsStillReportedAtOnce) {
  const at::Tensor table = at::zeros({4, 3}), slots = at::full({1, 2}, 4, at::kLong), weights = at::ones({1, 2});
  EXPECT_EQ(usage_error([&] { memory_bag(table, slots, weights, nullptr); }),
            "memory_bag: slot 4 is outside the table, expected 0 <= slot < 4");
}

TEST(RecordedGraph, ATableWithoutRowsIsRefusedWhileRecording) {
  const at::Tensor table = at::zeros({0, 3}), slots = at::zeros({1, 2}, at::kLong), weights = at::ones({1, 2});
  const std::string message =
      usage_error([&] { const Recorded recorded([&] { return memory_bag(table, slots, weights, nullptr); }); });
  EXPECT_EQ(message, "memory_bag: a table without rows has no slot to read");
}

// The optimizer's step asks the device how many rows there are, so it says that it cannot be recorded.
TEST(RecordedGraph, WhatWaitsForTheDeviceIsRefused) {
  const BagRecords records{{at::zeros({2, 3}, at::kLong), at::ones({2, 3}), at::ones({2, 5})}};
  const std::string message =
      usage_error([&] { const Recorded recorded([&] { return sort_records(records, 5).rows; }); });
  EXPECT_NE(message.find("cannot be part of one: the host waits for the device's answer"), std::string::npos)
      << message;
  at::Tensor table = at::zeros({4, 5});
  RowState state = make_row_state(table, RowOptimizer::kLazy);
  EXPECT_NE(usage_error([&] {
              const Recorded recorded([&] {
                dense_row_update(table, state, at::ones({4, 5}), 1, {0.1}, {.kind = RowOptimizer::kLazy});
                return table;
              });
            }).find("the host sends numbers"),
            std::string::npos);
  EXPECT_EQ(usage_error([&] { sort_records(records, 5); }), "no error");
}

}  // namespace
}  // namespace memlayers::ops
