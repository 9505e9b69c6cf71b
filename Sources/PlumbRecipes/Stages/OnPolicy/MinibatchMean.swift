import PlumbObjectives
import PlumbTensors

/// Statistics of the parts of a minibatch: means over their rows, and sums of their shares in a loss.
struct MinibatchMean {
  private var statistics = StatisticsMean()
  private var losses: [String: Double] = [:]

  /// Adds a part.
  ///
  /// - Parameters:
  ///   - objective: its loss is the part's share in that of the minibatch.
  ///   - loss: the name of the loss.
  mutating func add(_ objective: Objective, loss: String) {
    statistics.add(objective)
    losses[loss, default: 0] += Double(objective.loss.item)
  }

  /// Adds the part's share in a loss.
  mutating func add(loss: Tensor, as name: String) {
    losses[name, default: 0] += Double(loss.item)
  }

  /// The means and losses of the minibatch.
  var means: [String: Double] { statistics.means.merging(losses) { $1 } }
}
