// The ARM of a fit with hidden layers in bfloat16, for processors that have the instructions: steps with noise need no
// more. On the way forward the direct layer, and always rates and sums, are of single precision.
#include "kernels/fit_arm.h"
#include "kernels/fit_pairs.h"

namespace wyner::v4_bf16 {
void fit_arm(ArmTask& t);
}

namespace {

template <int S, int F, int N, int E>
class PairLayers {
 public:
  static constexpr int I = S + E;

  explicit PairLayers(const Weights<S, F, N, E>& w)
      : w1_(w.w1), w2_(w.w2), wo_(w.wo), wo_back_(w.wo_back), w2_back_(w.w2_back), neighbours_back_(w.neighbours_back) {}

  Block* out(int phase) { return out_[phase]; }

  void forward(const Weights<S, F, N, E>& w, const ArmInputs<N, I>& in) {
    const BlockView<2> out = view(out_);
    for (int b = 0; b < kPhases; ++b)
      for (int i = 0; i < I / 2; ++i)
        for (int p = 0; p < kVecs; ++p) x_[b][i][p] = paired(in.view()(2 * i, b, p), in.view()(2 * i + 1, b, p));
    dense_pairs(w1_, x(), kPhases, SharedView{in.feature_part}, relu_pairs_into(one()));
    dense_pairs(w2_, one(), kPhases, bias(w.b2), relu_pairs_into(two()));
    dense<I, 2>(w.wl, in.view(), kPhases, in.less_latent(), into(out));
    dense_pairs(wo_, two(), kPhases, out, [out](int, int b, int p, V mu, V s) {
      out(0, b, p) = mu;
      out(1, b, p) = s;
    });
  }

  // counts: whether to the gradients of the weights, too.
  void backward(Weights<S, F, N, E>& w, const ArmInputs<N, I>&, bool counts, QuadGradients<S>& dx) {
    const PairView<1> out{out_pair_[0]};
    for (int b = 0; b < kPhases; ++b)
      for (int p = 0; p < kVecs; ++p) out(0, b, p) = h1_[b][N / 2][p] = paired(out_[b][0][p], out_[b][1][p]);
    if (counts) last_layers(w);
    dense_pairs(wo_back_, out, kPhases, no_bias(), gated_pairs_over(two()));
    if (counts) second_layer(w);
    dense_pairs(w2_back_, two(), kPhases, no_bias(), gated_pairs_over(one()));
    if (counts) outer_across(Across<N>(one()), Across<I>(x()), w.gw1);
    dense_pairs(neighbours_back_, one(), kPhases, no_bias(), [&dx](int c, int phase, int p, V first, V second) {
      store(dx.neighbour(phase, c) + p * kLanes, first);
      store(dx.neighbour(phase, c + 1) + p * kLanes, second);
    });
  }

  void sum_phases(Block* total) const {
    for (int p = 0; p < kVecs; ++p) {
      for (int c = 0; c < N / 2; ++c) {
        V low{}, high{};
        for (int b = 0; b < kPhases; ++b) {
          low += low_of(h1_[b][c][p]);
          high += high_of(h1_[b][c][p]);
        }
        total[2 * c][p] = low;
        total[2 * c + 1][p] = high;
      }
      for (int o = 0; o < 2; ++o)
        total[N + o][p] = (out_[0][o][p] + out_[1][o][p]) + (out_[2][o][p] + out_[3][o][p]);
    }
  }

 private:
  PairView<N / 2 + 1> one() { return {h1_[0]}; }
  PairView<N / 2> two() { return {h2_[0]}; }
  PairView<I / 2> x() { return {x_[0]}; }

  void last_layers(Weights<S, F, N, E>& w) {
    const Across<2> g(PairView<1>{out_pair_[0]});
    outer_across(g, Across<N>(two()), w.gwo);
    outer_across(g, Across<I>(x()), w.gwl);
  }

  void second_layer(Weights<S, F, N, E>& w) {
    const Across<N> g(two());
    sum_across(g, w.gb2);
    outer_across(g, Across<N>(one()), w.gw2);
  }

  const PairWeights<I, N> w1_;
  const PairWeights<N, N> w2_;
  const PairWeights<N, 2> wo_;
  const PairWeights<2, N> wo_back_;
  const PairWeights<N, N> w2_back_;
  const PairWeights<N + 2, S> neighbours_back_;
  Pairs x_[kPhases][I / 2], out_pair_[kPhases][1];
  Pairs h1_[kPhases][N / 2 + 1];  // hidden units, then their gradients, followed by those of (mu, s)
  Pairs h2_[kPhases][N / 2];      // hidden units, then their gradients
  Block out_[kPhases][2];         // (mu - q, s), then their gradients
};

}  // namespace

namespace wyner::v4_bf16 {

void fit_arm(ArmTask& t) { run_arm<PairLayers>(t); }

}  // namespace wyner::v4_bf16
