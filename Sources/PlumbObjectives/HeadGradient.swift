import Foundation
public import PlumbTensors

/// The gradient of the mean Bradley-Terry loss in the weights of a linear head.
///
/// With `r = w·z`, the loss `−log σ(w·(z_chosen − z_rejected))` has the gradient
/// `−σ(−d)·(z_chosen − z_rejected)`, `d` being the difference of rewards. The features are constants
/// here: nothing flows on into the trunk (MORE, arXiv 2312.07401, §4.3). The bias of a head has no
/// gradient, since it cancels in `d`.
/// - Parameters:
///   - chosen: [P, H], what the last linear layer reads for the chosen responses.
///   - rejected: [P, H], for the rejected ones.
///   - differences: [P], rewards of the chosen minus those of the rejected responses.
/// - Returns: [H], the mean over the P pairs; at least one pair is expected.
public func headGradient(chosen: Tensor, rejected: Tensor, differences: [Float]) -> [Float] {
  precondition(
    chosen.shape.rank == 2 && chosen.shape == rejected.shape,
    "headGradient: expected two tensors of one shape [P, H], found \(chosen.shape) and "
      + "\(rejected.shape)")
  let width = chosen.shape[1]
  let pairs = chosen.shape[0]
  precondition(
    pairs > 0 && differences.count == pairs,
    "headGradient: expected \(pairs) differences, at least one, found \(differences.count)")
  var sum = [Double](repeating: 0, count: width)
  chosen.withSpan { chosen in
    rejected.withSpan { rejected in
      for pair in 0..<pairs {
        let difference = Double(differences[pair])
        let surprise = 1 / (1 + exp(difference))
        for column in 0..<width {
          let index = pair * width + column
          sum[column] -= surprise * (Double(chosen[index]) - Double(rejected[index]))
        }
      }
    }
  }
  return sum.map { Float($0 / Double(pairs)) }
}
