#include "overfit/fit_set.h"

#include <algorithm>

namespace wyner {

namespace {

constexpr int kThreadPixels = 50'000;  // a picture of fewer pixels gains nothing from another thread

// Threads that share a picture; those left over work on other pictures.
int threads_within(const std::vector<SetFitter::Picture>& pictures, int threads) {
  int64_t most = 0;
  for (const auto& p : pictures) most = std::max(most, int64_t(p.width) * p.height);
  return int(std::min<int64_t>(threads, 1 + most / kThreadPixels));
}

int workers_for(const std::vector<SetFitter::Picture>& pictures, int threads) {
  return std::clamp(threads / threads_within(pictures, threads), 1, int(pictures.size()));
}

}  // namespace

SetFitter::SetFitter(const std::vector<Picture>& pictures, FitSizes sizes, int grids, int threads, uint32_t seed)
    : grids_(grids), workers_(workers_for(pictures, threads)), pool_(int(workers_.size())), networks_(sizes, grids),
      gradient_(networks_.params.size()), gradients_(pictures.size(), gradient_) {
  const int inner = threads_within(pictures, threads);
  for (const Picture& p : pictures) pixels_ += double(p.width) * p.height;
  for (size_t k = 0; k < pictures.size(); ++k) {
    const Picture& p = pictures[k];
    Worker& worker = workers_[k % workers_.size()];
    Fitter* engine = engine_for(worker, p, sizes, inner);
    places_.push_back({engine, engine->fresh_state(p.image, seed + uint32_t(k) * 0x9e3779b9u),
                       double(p.width) * p.height / pixels_});
    worker.pictures.push_back(int(k));
  }
}

Fitter* SetFitter::engine_for(Worker& worker, const Picture& p, FitSizes sizes, int threads) {
  for (const auto& engine : worker.engines)
    if (engine->planes() == p.planes && engine->grid_width(0) == p.width && engine->grid_height(0) == p.height)
      return engine.get();
  worker.engines.push_back(
      std::make_unique<Fitter>(p.image, p.planes, p.width, p.height, sizes, grids_, threads, 0));
  return worker.engines.back().get();
}

void SetFitter::set_prior(std::vector<float> mean, std::vector<float> inverse_scale) {
  networks_.set_prior(std::move(mean), std::move(inverse_scale));
}

void SetFitter::get_latents(int picture, int grid, float* out) {
  Place& place = places_[picture];
  place.engine->exchange(place.state);
  place.engine->get_latents(grid, out);
  place.engine->exchange(place.state);
}

void SetFitter::set_latents(int picture, int grid, const float* values) {
  Place& place = places_[picture];
  place.engine->exchange(place.state);
  place.engine->set_latents(grid, values);
  place.engine->exchange(place.state);
}

template <class Work>
FitResult SetFitter::visit(Work work) {
  std::vector<FitResult> results(places_.size());
  pool_.run(int(workers_.size()), [&](int index, int) {
    for (const int k : workers_[index].pictures) {
      Place& place = places_[k];
      place.engine->exchange(place.state);
      place.engine->params() = networks_.params;
      results[k] = work(*place.engine);
      gradients_[k] = place.engine->param_gradient();
      place.engine->exchange(place.state);
    }
  });
  FitResult total;
  total.grid_bits.assign(grids_, 0.0);
  std::fill(gradient_.begin(), gradient_.end(), 0.0f);
  for (size_t k = 0; k < places_.size(); ++k) {
    const double share = places_[k].share;
    total.mse += share * results[k].mse;
    for (int i = 0; i < grids_; ++i) total.grid_bits[i] += results[k].grid_bits[i];
    for (size_t j = 0; j < gradient_.size(); ++j) gradient_[j] += float(share) * gradients_[k][j];
  }
  return total;
}

FitResult SetFitter::gradients(float lambda) {
  return visit([&](Fitter& fitter) { return fitter.gradients(lambda); });
}

FitResult SetFitter::step(const FitStep& s) {
  const FitResult result = visit([&](Fitter& fitter) {
    const FitResult r = fitter.trial(s);
    fitter.move_latents(s);
    return r;
  });
  networks_.step(gradient_, s, pixels_);
  return result;
}

}  // namespace wyner
