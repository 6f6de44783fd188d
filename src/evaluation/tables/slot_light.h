// Which texts light a slot: whose tokens read it, with how much weight.
#pragma once

#include <map>

#include "evaluation/tables/read_sweep.h"
#include "results/inspection.h"

namespace memlayers::evaluation {

class SlotLights {
 public:
  /// Watches `slot` in each of `tables` tables, for layers of `heads` heads.
  SlotLights(int64_t slot, int64_t tables, int64_t heads);

  /// `owner`: what the token belongs to; `passage` and `position` are kept where the weight is largest.
  void add(const TokenRead& read, int64_t owner);

  struct Owner {
    int64_t owner = 0, reads = 0;
    double weight = 0, peak = 0;
    int64_t passage = 0, position = 0;  // of the peak; among equals the first
  };
  /// The `top` owners with most weight in `table`, largest first; among equals the lower owner.
  std::vector<Owner> top(int64_t table, int64_t top) const;
  /// Reads by layer and head in `table`; heads without a read are left out.
  std::vector<results::SlotLight::By> heads(int64_t table) const;

 private:
  struct Watched {
    std::map<int64_t, Owner> owners;
    std::map<std::pair<int64_t, int64_t>, results::SlotLight::By> heads;  // (layer, head)
  };
  int64_t slot_, heads_;
  std::vector<Watched> tables_;
};

}  // namespace memlayers::evaluation
