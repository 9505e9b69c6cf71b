import Foundation
import PlumbObjectives
import PlumbTensors
import PlumbTestSupport
import Testing

struct PPOTests {
  /// Padded rows of the reference against the same tokens end to end, without padding.
  @Test(arguments: [false, true]) func goldenLossesAndGradients(packed: Bool) throws {
    let golden = try Golden("ppo")
    let width = golden.extents("logprobs")[1]
    let mask = try golden.integers("lengths").flatMap { length in
      (0..<width).map { $0 < length }
    }
    let real = mask.indices.filter { mask[$0] }
    let rows = packed ? real : Array(mask.indices)
    func column(_ name: String) throws -> [Float] {
      let values = try golden.floats(name)
      return rows.map { values[$0] }
    }
    let logprobs = Tensor.variable(try column("new_logprobs"), shape: [rows.count])
    let values = Tensor.variable(try column("new_values"), shape: [rows.count])
    let policy = ppoPolicy(
      logprobs: logprobs, oldLogprobs: try column("logprobs"),
      advantages: try column("whitened_advantages"), mask: packed ? nil : mask, clip: 0.2)
    let value = ppoValue(
      values: values, oldValues: try column("values"), returns: try column("returns"),
      mask: packed ? nil : mask, clip: 0.2)
    let loss = policy.loss + value.loss * 0.1
    expectClose([policy.loss.item], try golden.floats("policy_loss"))
    expectClose([value.loss.item], try golden.floats("value_loss"))
    expectClose([loss.item], try golden.floats("loss"))
    let gradients = Gradients(of: loss)
    expectClose(
      gradients[logprobs]?.scalars ?? [], try column("grad.new_logprobs"), absolute: 1e-6,
      relative: 1e-4)
    expectClose(
      gradients[values]?.scalars ?? [], try column("grad.new_values"), absolute: 1e-6,
      relative: 1e-4)
    expectClose(
      [Float(policy.statistics["policy/approxkl_avg"] ?? -1)], try golden.floats("approx_kl"))
    expectClose(
      [Float(policy.statistics["policy/clipfrac_avg"] ?? -1)], try golden.floats("clip_fraction"))
    #expect(policy.count == real.count && value.count == real.count)
  }

  @Test func firstStepHasRatioOneAndNoClipping() {
    let logprobs = Tensor.variable([-1, -2, -0.5], shape: [3])
    let objective = ppoPolicy(
      logprobs: logprobs, oldLogprobs: [-1, -2, -0.5], advantages: [1, -2, 4])
    expectClose(objective.loss.item, -1)
    // The gradient of plain policy gradient, −A/N.
    expectClose(gradient(objective.loss, logprobs), [-1.0 / 3, 2.0 / 3, -4.0 / 3])
    #expect(objective.statistics["policy/approxkl_avg"] == 0)
    #expect(objective.statistics["policy/approxkl_k3_avg"] == 0)
    #expect(objective.statistics["policy/clipfrac_avg"] == 0)
    #expect(objective.statistics["val/ratio"] == 1)
  }

  /// Figure 1 of arXiv 1707.06347: the four corners of ratio and advantage.
  @Test func clippingIsPessimistic() {
    let ratios: [Float] = [1.5, 0.5, 1.5, 0.5]
    let logprobs = Tensor.variable(ratios.map { log($0) }, shape: [4])
    let objective = ppoPolicy(
      logprobs: logprobs, oldLogprobs: [0, 0, 0, 0], advantages: [1, 1, -1, -1], clip: 0.2)
    expectClose(objective.loss.item, (-1.2 - 0.5 + 1.5 + 0.8) / 4)
    expectClose(gradient(objective.loss, logprobs), [0, -0.125, 0.375, 0])
    #expect(objective.statistics["policy/clipfrac_avg"] == 0.5)
    let d = ratios.map { Double(log($0)) }
    expectClose(
      objective.statistics["policy/approxkl_avg"] ?? -1, d.reduce(0) { $0 + $1 * $1 } / 8)
    // e^d − 1 − d: the ratios sum to 4 and the logarithms do not cancel.
    expectClose(
      objective.statistics["policy/approxkl_k3_avg"] ?? -1, -d.reduce(0, +) / 4)
    let higher = ppoPolicy(
      logprobs: logprobs, oldLogprobs: [0, 0, 0, 0], advantages: [1, 1, -1, -1], clip: 0.2,
      clipHigher: 0.6)
    expectClose(higher.loss.item, (-1.5 - 0.5 + 1.5 + 0.8) / 4)
  }

  @Test func impossibleTokenStaysFinite() {
    let logprobs = Tensor.variable([0, -300], shape: [2])
    let objective = ppoPolicy(
      logprobs: logprobs, oldLogprobs: [-300, 0], advantages: [-1, -1], logRatioBound: 20)
    expectClose(objective.loss.item, (exp(Float(20)) + 0.8) / 2, relative: 1e-5)
    #expect(gradient(objective.loss, logprobs) == [0, 0])
  }

  @Test func maskedTokensDoNotCount() {
    let logprobs = Tensor.variable([-1, .nan, -2], shape: [3])
    let objective = ppoPolicy(
      logprobs: logprobs, oldLogprobs: [-1, 0, -2], advantages: [1, .nan, 3],
      mask: [true, false, true])
    expectClose(objective.loss.item, -2)
    expectClose(gradient(objective.loss, logprobs), [-0.5, 0, -1.5])
  }

  @Test func partsOfABatchAddUpToTheWhole() {
    let (new, old, advantages): ([Float], [Float], [Float]) = (
      [-1, -2, -0.5, -0.1], [-1.3, -1.8, -0.5, -0.4], [1, -2, 4, 0.3]
    )
    let whole = ppoPolicy(logprobs: Tensor(new), oldLogprobs: old, advantages: advantages)
    let wholeValue = ppoValue(values: Tensor(new), oldValues: old, returns: advantages)
    var (loss, valueLoss): (Float, Float) = (0, 0)
    var statistics = StatisticsMean()
    for part in [0..<3, 3..<4] {
      let objective = ppoPolicy(
        logprobs: Tensor(Array(new[part])), oldLogprobs: Array(old[part]),
        advantages: Array(advantages[part]), batchCount: 4)
      statistics.add(objective)
      loss += objective.loss.item
      valueLoss +=
        ppoValue(
          values: Tensor(Array(new[part])), oldValues: Array(old[part]),
          returns: Array(advantages[part]), batchCount: 4
        ).loss.item
    }
    expectClose(loss, whole.loss.item)
    expectClose(valueLoss, wholeValue.loss.item)
    for (name, value) in whole.statistics {
      expectClose(statistics.means[name] ?? .nan, value, absolute: 1e-7, relative: 1e-6, name)
    }
  }

  @Test func valueLossTakesTheWorseOfTheTwo() {
    let values = Tensor.variable([1, 1, 0.1], shape: [3])
    let objective = ppoValue(
      values: values, oldValues: [0, 0, 0], returns: [0, 1, 1], clip: 0.2)
    // max(1, 0.2²), max(0, 0.8²), max(0.9², 0.9²); halved.
    expectClose(objective.loss.item, 0.5 * (1 + 0.64 + 0.81) / 3)
    expectClose(gradient(objective.loss, values), [1.0 / 3, 0, -0.3])
    expectClose(objective.statistics["val/clipfrac_avg"] ?? -1, 1.0 / 3)
    let plain = ppoValue(values: values, oldValues: [0, 0, 0], returns: [0, 1, 1], clip: nil)
    expectClose(plain.loss.item, 0.5 * (1 + 0 + 0.81) / 3)
  }

  @Test func gradientsMatchFiniteDifferences() {
    // Away from the kinks at ratios 0.8 and 1.2 and at values old ± 0.2.
    checkGradients(of: [Tensor([-1, -2, -0.5, -0.1, -0.7])]) {
      ppoPolicy(
        logprobs: $0[0], oldLogprobs: [-1.1, -1.5, -0.9, -0.15, 4],
        advantages: [1, -2, 3, -0.5, 1], mask: [true, true, true, true, false]
      ).loss
    }
    checkGradients(of: [Tensor([1, -0.5, 0.3, 2])]) {
      ppoValue(
        values: $0[0], oldValues: [0.9, 0.5, 0.35, 1], returns: [2, 1, -1, 5],
        mask: [true, true, true, false]
      ).loss
    }
    // Without a clip; with one the first value, far from its old one, would have no gradient.
    func plain(_ values: Tensor, of count: Int? = nil) -> Tensor {
      ppoValue(
        values: values, oldValues: [0, 0.5, 0.35, 1], returns: [2, 1, -1, 5],
        mask: [true, true, true, false], clip: nil, batchCount: count
      ).loss
    }
    for count in [nil, 7] {
      checkGradients(of: [Tensor([1, -0.5, 0.3, 2])]) { plain($0[0], of: count) }
    }
    // By hand: (V - R) / 3.
    let values = Tensor.variable([1, -0.5, 0.3, 2], shape: [4])
    expectClose(gradient(plain(values), values), [-1.0 / 3, -0.5, 1.3 / 3, 0], absolute: 1e-5)
  }

  /// Ratios e^0.3, e^0.6, e^-0.36 and so on: away from the kinks at 0.8 and 1.6, and the first inside of
  /// the higher bound alone.
  @Test func gradientsWithAHigherClipMatchFiniteDifferences() {
    let (new, old): ([Float], [Float]) = (
      [-1, -2, -0.5, -0.1, -0.7], [-1.3, -2.6, -0.14, -0.7, -0.34]
    )
    func loss(_ logprobs: Tensor, clipHigher: Float?) -> Tensor {
      ppoPolicy(
        logprobs: logprobs, oldLogprobs: old, advantages: [1, 1, -1, -0.5, 2], clip: 0.2,
        clipHigher: clipHigher
      ).loss
    }
    checkGradients(of: [Tensor(new)]) { loss($0[0], clipHigher: 0.6) }
    let variable = Tensor.variable(new, shape: [5])
    let (high, low): (Float, Float) = (exp(0.6), exp(-0.36))
    let expected = [-exp(Float(0.3)) / 5, 0, 0, 0.1 * high, -0.4 * low]
    expectClose(gradient(loss(variable, clipHigher: 0.6), variable), expected, absolute: 1e-5)
    // With one bound for both sides the first token is clipped, and nothing else differs.
    let clipped = [0, 0, 0, 0.1 * high, -0.4 * low]
    expectClose(gradient(loss(variable, clipHigher: nil), variable), clipped, absolute: 1e-5)
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) {
      _ = ppoPolicy(logprobs: Tensor([]), oldLogprobs: [], advantages: [])
    }
    await #expect(processExitsWith: .failure) {
      _ = ppoPolicy(logprobs: Tensor([1]), oldLogprobs: [1, 2], advantages: [1])
    }
    await #expect(processExitsWith: .failure) {
      _ = ppoPolicy(logprobs: Tensor([1]), oldLogprobs: [1], advantages: [])
    }
    await #expect(processExitsWith: .failure) {
      _ = ppoPolicy(logprobs: Tensor([1]), oldLogprobs: [1], advantages: [1], mask: [false])
    }
    await #expect(processExitsWith: .failure) {
      _ = ppoPolicy(logprobs: Tensor([1]), oldLogprobs: [1], advantages: [1], clip: 0)
    }
    await #expect(processExitsWith: .failure) {
      _ = ppoValue(values: Tensor([1]), oldValues: [1], returns: [1, 2])
    }
    await #expect(processExitsWith: .failure) {
      _ = ppoValue(values: Tensor([1], shape: [1, 1]), oldValues: [1], returns: [1])
    }
    await #expect(processExitsWith: .failure) {
      _ = ppoValue(values: Tensor([1]), oldValues: [1], returns: [1], clip: -1)
    }
  }
}
