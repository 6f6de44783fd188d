#include "evaluation/tables/slot_light.h"

#include <algorithm>

namespace memlayers::evaluation {

SlotLights::SlotLights(int64_t slot, int64_t tables, int64_t heads) : slot_(slot), heads_(heads), tables_(tables) {}

void SlotLights::add(const TokenRead& read, int64_t owner) {
  const size_t top_k = read.slots.size() / static_cast<size_t>(heads_);
  for (size_t i = 0; i < read.slots.size(); ++i) {
    if (read.slots[i] != slot_) continue;
    Watched& watched = tables_[read.table];
    const auto head = static_cast<int64_t>(i / top_k);
    results::SlotLight::By& by =
        watched.heads.try_emplace({read.layer, head}, results::SlotLight::By{read.layer, head}).first->second;
    ++by.reads;
    by.weight += read.weights[i];
    Owner& lit = watched.owners.try_emplace(owner, Owner{owner}).first->second;
    ++lit.reads;
    lit.weight += read.weights[i];
    if (lit.reads > 1 && read.weights[i] <= lit.peak) continue;
    lit.peak = read.weights[i];
    lit.passage = read.passage;
    lit.position = read.position;
  }
}

std::vector<SlotLights::Owner> SlotLights::top(int64_t table, int64_t top) const {
  std::vector<Owner> owners;
  for (const auto& [owner, lit] : tables_[table].owners) owners.push_back(lit);
  std::stable_sort(owners.begin(), owners.end(), [](const Owner& a, const Owner& b) { return a.weight > b.weight; });
  if (static_cast<int64_t>(owners.size()) > top) owners.resize(top);
  return owners;
}

std::vector<results::SlotLight::By> SlotLights::heads(int64_t table) const {
  std::vector<results::SlotLight::By> heads;
  for (const auto& [place, by] : tables_[table].heads) heads.push_back(by);
  return heads;
}

}  // namespace memlayers::evaluation
