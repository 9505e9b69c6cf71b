import Foundation
import PlumbTensors

/// Prompts whose responses can all be listed, each with a reward and a reference probability.
///
/// A response is a path of actions (tokens) through a tree: it ends with the end action, which is the
/// last one, or at the longest length. A bandit is the tree of depth 1 without an end action: its
/// responses are its arms. All prompts share the tree and differ in rewards and reference.
struct EnumeratedWorld: Sendable {
  /// One path through the tree.
  struct Response: Hashable, Sendable {
    /// The actions, [T].
    let tokens: [Int32]
    /// The state before each action, [T]; the root is 0.
    let states: [Int]
    /// Whether the last action is the end action.
    let stops: Bool
  }

  /// Number of prompts, P.
  let promptCount: Int
  /// Actions in every state, A.
  let actionCount: Int
  /// The action that ends a response; nil where every response has the longest length.
  let end: Int32?
  /// The greatest number of actions in a response.
  let longest: Int
  /// All responses, N, in the order of the tree's levels.
  let responses: [Response]
  /// States that an action is chosen in, S.
  let stateCount: Int
  /// Mean 0 under the reference, [P][N].
  let rewards: [[Double]]
  /// Logits of the reference in every state, [P * S * A].
  let referenceLogits: [Float]
  private let numbers: [[Int32]: Int]

  /// The number of a response; nil for actions that are no path of the tree.
  func number(of tokens: [Int32]) -> Int? { numbers[tokens] }

  /// The place of an action of a state of a prompt among all [P * S * A] logits.
  func cell(prompt: Int, state: Int, token: Int32) -> Int {
    (prompt * stateCount + state) * actionCount + Int(token)
  }

  /// A world with random rewards and a random reference.
  ///
  /// The reward of a response is a sum over its tokens and pairs of neighbours with weights of the
  /// prompt, and a small share of its own, so that a model of tokens can learn it but no additive
  /// rule explains it. Under the reference its mean is 0 and its deviation `rewardSpread`.
  /// - Parameters:
  ///   - prompts: P, at least 1.
  ///   - letters: actions beside the end action.
  ///   - longest: the greatest number of actions.
  ///   - ends: whether there is an end action.
  ///   - referenceSpread: deviation of the reference's logits.
  ///   - rewardSpread: deviation of the rewards under the reference.
  ///   - seed: of everything random.
  init(
    prompts: Int, letters: Int, longest: Int, ends: Bool, referenceSpread: Double,
    rewardSpread: Double, seed: UInt64
  ) {
    let tree = Self.tree(letters: letters, longest: longest, ends: ends)
    let actions = letters + (ends ? 1 : 0)
    var logits: [Float] = []
    for prompt in 0..<prompts {
      var stream = RandomStream(seed: seed, purpose: "truth/reference", row: prompt)
      logits += (0..<tree.states * actions).map { _ in stream.normal() * Float(referenceSpread) }
    }
    let raw = (0..<prompts).map { prompt in
      Self.rawRewards(tree.responses, actions: actions, prompt: prompt, seed: seed)
    }
    self.init(
      prompts: prompts, actions: actions, ends: ends, longest: longest, tree: tree,
      rewards: raw, referenceLogits: logits)
    self = standardised(to: rewardSpread)
  }

  /// A bandit with given rewards and reference.
  /// - Parameters:
  ///   - rewards: [P][N], kept as they are.
  ///   - reference: probabilities above 0, [P][N].
  init(banditRewards rewards: [[Double]], reference: [[Double]]) {
    let arms = rewards.first?.count ?? 0
    precondition(
      reference.count == rewards.count && (rewards + reference).allSatisfy { $0.count == arms },
      "EnumeratedWorld: expected \(rewards.count) rows of \(arms) probabilities")
    self.init(
      prompts: rewards.count, actions: arms, ends: false, longest: 1,
      tree: Self.tree(letters: arms, longest: 1, ends: false), rewards: rewards,
      referenceLogits: reference.joined().map { Float(log($0)) })
  }

  private init(
    prompts: Int, actions: Int, ends: Bool, longest: Int,
    tree: (responses: [Response], states: Int), rewards: [[Double]], referenceLogits: [Float]
  ) {
    promptCount = prompts
    actionCount = actions
    end = ends ? Int32(actions - 1) : nil
    self.longest = longest
    responses = tree.responses
    stateCount = tree.states
    self.rewards = rewards
    self.referenceLogits = referenceLogits
    numbers = Dictionary(
      uniqueKeysWithValues: tree.responses.enumerated().map { ($1.tokens, $0) })
  }

  /// The same world with other rewards.
  func with(rewards: [[Double]]) -> EnumeratedWorld {
    EnumeratedWorld(
      prompts: promptCount, actions: actionCount, ends: end != nil, longest: longest,
      tree: (responses, stateCount), rewards: rewards, referenceLogits: referenceLogits)
  }

  private func standardised(to spread: Double) -> EnumeratedWorld {
    let reference = logprobs(ofLogits: referenceLogits)
    return with(
      rewards: rewards.indices.map { prompt in
        let p = reference[prompt].map(exp)
        let mean = zip(p, rewards[prompt]).reduce(0) { $0 + $1.0 * $1.1 }
        let square = zip(p, rewards[prompt]).reduce(0) {
          $0 + $1.0 * ($1.1 - mean) * ($1.1 - mean)
        }
        return rewards[prompt].map { ($0 - mean) * spread / square.squareRoot() }
      })
  }

  /// Log-probabilities of all responses under a table of logits, [P][N], in double precision.
  func logprobs(ofLogits logits: [Float]) -> [[Double]] {
    let rows = stride(from: 0, to: logits.count, by: actionCount).map { start in
      logNormalised(logits[start..<start + actionCount].map { Double($0) })
    }
    return (0..<promptCount).map { prompt in
      responses.map { response in
        zip(response.states, response.tokens).reduce(0) {
          $0 + rows[prompt * stateCount + $1.0][Int($1.1)]
        }
      }
    }
  }
}

extension EnumeratedWorld {
  /// All paths, level after level, and the number of inner states.
  private static func tree(
    letters: Int, longest: Int, ends: Bool
  ) -> (responses: [Response], states: Int) {
    var responses: [Response] = []
    var states = 0
    var level = [Response(tokens: [], states: [], stops: false)]
    for _ in 0..<longest {
      var next: [Response] = []
      for prefix in level {
        let state = states
        states += 1
        let before = prefix.states + [state]
        if ends {
          responses.append(
            Response(tokens: prefix.tokens + [Int32(letters)], states: before, stops: true))
        }
        for letter in 0..<letters {
          next.append(
            Response(tokens: prefix.tokens + [Int32(letter)], states: before, stops: false))
        }
      }
      level = next
    }
    return (responses + level, states)
  }

  private static func rawRewards(
    _ responses: [Response], actions: Int, prompt: Int, seed: UInt64
  ) -> [Double] {
    var stream = RandomStream(seed: seed, purpose: "truth/rewards", row: prompt)
    let single = (0..<actions).map { _ in Double(stream.normal()) }
    let pair = (0..<actions * actions).map { _ in Double(stream.normal()) }
    return responses.map { response in
      var sum = 0.3 * Double(stream.normal())
      for (place, token) in response.tokens.enumerated() {
        sum += single[Int(token)]
        if place > 0 { sum += pair[Int(response.tokens[place - 1]) * actions + Int(token)] }
      }
      return sum
    }
  }
}

/// `x - log Σ exp x`, in double precision.
func logNormalised(_ x: [Double]) -> [Double] {
  let greatest = x.max() ?? 0
  let total = greatest + log(x.reduce(0) { $0 + exp($1 - greatest) })
  return x.map { $0 - total }
}
