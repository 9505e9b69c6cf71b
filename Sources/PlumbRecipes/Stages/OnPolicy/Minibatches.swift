import PlumbData
import PlumbRollouts
import PlumbTensors

/// The responses of one optimizer step, in parts that go through the model one after the other.
struct Minibatch {
  /// The parts; each goes through the model at once.
  let parts: [[ResponsePlace]]
  /// Response tokens of all parts: what means over tokens divide by.
  let tokens: Int
  /// Responses of all parts: what means over responses divide by.
  let responses: Int

  /// Cuts responses into parts that stay within a budget of tokens.
  ///
  /// Responses to one prompt are kept together, since they share its tokens; a group over the budget is
  /// cut too, but never a response.
  /// - Parameters:
  ///   - places: the responses.
  ///   - tokenBudget: tokens computed at once; 0 for all.
  init(_ places: [ResponsePlace], of buffer: RolloutBuffer, tokenBudget: Int) {
    tokens = places.reduce(0) { $0 + buffer[$1].tokens.count }
    responses = places.count
    guard tokenBudget > 0 else {
      self.parts = [places]
      return
    }
    var order: [Int] = []
    var byGroup: [Int: [ResponsePlace]] = [:]
    for place in places {
      if byGroup[place.group] == nil { order.append(place.group) }
      byGroup[place.group, default: []].append(place)
    }
    var parts: [[ResponsePlace]] = []
    var room = 0
    for group in order {
      let prompt = buffer.groups[group].promptTokens.count
      let members = byGroup[group] ?? []
      let whole = members.reduce(prompt) { $0 + buffer[$1].tokens.count }
      if parts.isEmpty || whole > room {
        parts.append([])
        room = tokenBudget
      }
      room -= prompt
      for (number, place) in members.enumerated() {
        let cost = buffer[place].tokens.count
        if number > 0, cost > room {
          parts.append([])
          room = tokenBudget - prompt
        }
        parts[parts.count - 1].append(place)
        room -= cost
      }
    }
    self.parts = parts
  }
}

extension RolloutBuffer {
  /// The responses of a round in a fresh order for each pass, cut into minibatches.
  ///
  /// - Parameters:
  ///   - chosen: the responses to take; all if nil.
  ///   - count: minibatches; fewer where there are fewer responses.
  ///   - tokenBudget: tokens computed at once; 0 for a minibatch.
  ///   - stream: draws the order.
  ///   - keepsGroups: whether the responses to a prompt stay in one minibatch.
  func minibatches(
    _ chosen: [ResponsePlace]? = nil, count: Int, tokenBudget: Int, stream: inout RandomStream,
    keepsGroups: Bool = false
  ) -> [Minibatch] {
    let places = chosen ?? self.places
    var units = places.map { [$0] }
    if keepsGroups {
      units = Dictionary(grouping: places, by: \.group).sorted { $0.key < $1.key }.map(\.value)
    }
    let order = stream.permutation(units.count).map { units[$0] }
    return (0..<count).map { number in
      order[number * order.count / count..<(number + 1) * order.count / count].flatMap { $0 }
    }.filter { !$0.isEmpty }.map { Minibatch($0, of: self, tokenBudget: tokenBudget) }
  }
}
