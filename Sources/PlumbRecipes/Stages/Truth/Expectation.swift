import PlumbObjectives
import PlumbTensors

/// A scalar whose gradient is that of the expectation of a loss under given weights of its rows.
///
/// Plumb's losses are means over rows, each term of which depends on its own row alone. So the
/// derivative by the inputs of a row, times the number of rows, is that of the row's own loss;
/// weighed, it goes on into what made the inputs. The loss itself is not touched: an error in it
/// moves the optimum that training finds.
/// - Parameters:
///   - inputs: tensors [R] with graphs, all of the same R.
///   - weights: [R], the probability of every row; none weighs all rows alike.
///   - loss: a mean over R rows.
/// - Returns: the scalar to run backward from, and the loss's own statistics.
func expectation(
  _ inputs: [Tensor], weights: [Float]?, loss: ([Tensor]) -> Objective
) -> (scalar: Tensor, objective: Objective) {
  guard let weights else {
    let objective = loss(inputs)
    return (objective.loss, objective)
  }
  let rows = Float(weights.count)
  let leaves = inputs.map { Tensor.variable($0.scalars, shape: $0.shape) }
  let objective = loss(leaves)
  let gradients = Gradients(of: objective.loss)
  var scalar: Tensor?
  for (input, leaf) in zip(inputs, leaves) {
    precondition(
      input.shape.rank == 1 && input.count == weights.count,
      "expectation: expected \(weights.count) rows, found shape \(input.shape)")
    guard let slopes = gradients[leaf]?.scalars else { continue }
    let pull = zip(slopes, weights).map { rows * $0 * $1 }
    let term = (input * Tensor(pull)).sum()
    scalar = scalar.map { $0 + term } ?? term
  }
  guard let scalar else { preconditionFailure("expectation: the loss depends on no input") }
  return (scalar, objective)
}
