import PlumbModels
import PlumbTensors

extension GeneralPreferenceModel {
  /// Makes the embeddings of reference responses have mean 0 and a mean squared length of `tau`.
  ///
  /// A fresh head maps all responses near to one vector, since their last hidden states differ little. On
  /// a cycle that is a saddle: what A gains by beating B it loses to C, and the gradients of equal
  /// embeddings cancel to first order (a scalar reward has nothing of the kind to get away from). The
  /// head's rows are made orthogonal to the mean hidden state of the references, after which each
  /// embedding is what sets a response apart, and scaled so that typical log-odds `s / tau` are below 1.
  /// - Parameters:
  ///   - groups: prompts with responses; training data.
  ///   - tokenBudget: tokens computed at once.
  /// - Throws: `PreferenceError` naming the group that cannot be embedded, `.noPairs` for no group.
  public mutating func centreHead(
    on groups: [PreferenceGroup], tokenBudget: Int = 4096
  ) throws(PreferenceError) {
    if groups.isEmpty { throw .noPairs }
    var model = self
    model.parameters = parameters.frozen
    let width = decoder.configuration.hiddenSize
    var mean = [Double](repeating: 0, count: width)
    var states: [[Float]] = []
    for range in chunks(of: groups, tokenBudget: tokenBudget) {
      let batch = try batch(Array(groups[range]), firstRow: range.lowerBound)
      let values = model.outputs(batch).hidden.rows(at: batch.readRows).scalars
      for start in stride(from: 0, to: values.count, by: width) {
        states.append(Array(values[start..<start + width]))
      }
    }
    for state in states {
      for index in 0..<width { mean[index] += Double(state[index]) / Double(states.count) }
    }
    let square = mean.reduce(0) { $0 + $1 * $1 }
    var head = parameters.values(of: valueHead).map(Double.init)
    var energy = 0.0
    for row in 0..<options.dimension {
      let place = row * width
      let along = (0..<width).reduce(0.0) { $0 + head[place + $1] * mean[$1] }
      for index in 0..<width where square > 0 {
        head[place + index] -= along / square * mean[index]
      }
      for state in states {
        let value = (0..<width).reduce(0.0) { $0 + head[place + $1] * Double(state[$1]) }
        energy += value * value / Double(states.count)
      }
    }
    // Responses that are all alike leave nothing to scale.
    let scale = energy > 1e-20 ? (tau / energy).squareRoot() : 1
    parameters.assign(head.map { Float($0 * scale) }, to: valueHead)
  }
}
