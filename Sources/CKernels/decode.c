// One pass of some tokens through a decoder with packed weights and paged keys and values.
//
// All threads enter once and meet at barriers between the phases: waking a worker costs more than a
// phase. Which member computes what is fixed by its number, and no number depends on the division.
#include "decode.h"

#include "team.h"
#include "variants.h"

typedef struct {
  const plumb_decoder *decoder;
  const plumb_decoding_pass *pass;
  team_barrier barrier;
} decoding;

typedef struct {
  const plumb_decoder *decoder;
  const plumb_decoding_pass *pass;
  team_barrier *barrier;
  int number, count;
  float *scratch;
} member;

typedef struct {
  size_t first, end;
} range;

/// The member's part of `count` items.
static range part_of(member me, size_t count) {
  const size_t number = (size_t)me.number, members = (size_t)me.count;
  return (range){count * number / members, count * (number + 1) / members};
}

static void wait_for_all(member me) { team_wait(me.barrier, me.count); }

static void normalize(size_t rows, size_t columns, const plumb_norm *norm, const float *x,
                      float *y) {
  float mean, scale;
  for (size_t row = 0; row < rows; row++, x += columns, y += columns)
    if (norm->bias)
      plumb_layernorm(1, columns, x, norm->weight, norm->bias, norm->epsilon, y, &mean, &scale);
    else
      plumb_rmsnorm(1, columns, x, norm->weight, norm->epsilon, y, &scale);
}

/// Normalizes all rows of x and waits.
static void normalize_all(member me, const plumb_norm *norm) {
  const size_t width = me.decoder->width;
  const range rows = part_of(me, me.pass->rows);
  normalize(rows.end - rows.first, width, norm, me.pass->x + rows.first * width,
            me.pass->normed + rows.first * width);
  wait_for_all(me);
}

/// The product of all rows with a weight, and waits.
static void multiply_all(member me, size_t rows, const float *x, const plumb_packed *w,
                         plumb_finish finish, float *y) {
  const range panels = part_of(me, plumb_panel_count(w->outer, w->is_gated));
  plumb_packed_linear(rows, x, w->inner, w, panels.first, panels.end - panels.first, finish, y,
                      w->outer);
  wait_for_all(me);
}

static void embed(member me) {
  const size_t width = me.decoder->width;
  const range rows = part_of(me, me.pass->rows);
  for (size_t row = rows.first; row < rows.end; row++) {
    float *x = me.pass->x + row * width;
    memcpy(x, me.decoder->embedding + (size_t)me.pass->tokens[row] * width, width * sizeof(float));
    if (me.decoder->position_embedding)
      plumb_add(width, me.decoder->position_embedding + (size_t)me.pass->positions[row] * width, x);
  }
  wait_for_all(me);
}

/// Norm and rotation of `heads` heads in place.
CLONES static void prepare_heads(size_t heads, size_t dimension, const plumb_norm *norm,
                                 const float *cosines, const float *sines, float *x) {
  RELAXED
  const size_t half = dimension / 2;
  for (size_t head = 0; head < heads; head++, x += dimension) {
    if (norm->weight) {
      float squares = 0;
      for (size_t i = 0; i < dimension; i++) squares += x[i] * x[i];
      const float scale =
          1 / __builtin_elementwise_sqrt(squares / (float)dimension + norm->epsilon);
      for (size_t i = 0; i < dimension; i++) x[i] = x[i] * scale * norm->weight[i];
    }
    if (cosines)
      for (size_t i = 0; i < half; i++) {
        const float low = x[i], high = x[i + half];
        x[i] = low * cosines[i] - high * sines[i];
        x[i + half] = high * cosines[i] + low * sines[i];
      }
  }
}

/// Makes queries ready and keeps the key and the value of one row and key-value head.
static void keep(member me, size_t layer, size_t row, size_t head) {
  const plumb_decoder *d = me.decoder;
  const plumb_decoder_layer *weights = d->layers + layer;
  const size_t dimension = d->head_dimension, half = dimension / 2;
  const size_t heads = d->key_value_width / dimension, group = d->query_width / d->key_value_width;
  const size_t position = (size_t)me.pass->positions[row];
  float *projected =
      me.pass->query_key_value + row * (d->query_width + 2 * d->key_value_width);
  float *key = projected + d->query_width + head * dimension;
  const float *value = key + d->key_value_width;
  const float *cosines = me.pass->cosines ? me.pass->cosines + position * half : NULL;
  const float *sines = me.pass->sines ? me.pass->sines + position * half : NULL;
  prepare_heads(group, dimension, &weights->query_norm, cosines, sines,
                projected + head * group * dimension);
  prepare_heads(1, dimension, &weights->key_norm, cosines, sines, key);
  float *page = me.pass->pages[row][position / PLUMB_PAGE_TOKENS] +
                2 * (layer * heads + head) * dimension * PLUMB_PAGE_TOKENS;
  const size_t place = position % PLUMB_PAGE_TOKENS;
  for (size_t i = 0; i < dimension; i++) page[i * PLUMB_PAGE_TOKENS + place] = key[i];
  memcpy(page + (PLUMB_PAGE_TOKENS + place) * dimension, value, dimension * sizeof(float));
}

static void attend(member me, size_t layer, size_t row, size_t head) {
  const plumb_decoder *d = me.decoder;
  const size_t dimension = d->head_dimension;
  const size_t heads = d->key_value_width / dimension, group = d->query_width / d->key_value_width;
  plumb_paged_attention(
      me.pass->query_key_value + row * (d->query_width + 2 * d->key_value_width) +
          head * group * dimension,
      group, dimension, 1 / sqrtf((float)dimension), me.pass->pages[row],
      2 * (layer * heads + head) * dimension * PLUMB_PAGE_TOKENS,
      (size_t)me.pass->positions[row] + 1, me.scratch,
      me.pass->attended + row * d->query_width + head * group * dimension);
}

static void attend_all(member me, size_t layer) {
  const size_t heads = me.decoder->key_value_width / me.decoder->head_dimension;
  const range items = part_of(me, me.pass->rows * heads);
  const bool is_alone = me.pass->is_one_per_sequence;
  for (size_t item = items.first; item < items.end; item++) {
    keep(me, layer, item / heads, item % heads);
    if (is_alone) attend(me, layer, item / heads, item % heads);
  }
  if (!is_alone) {
    // A row sees earlier rows of its own sequence.
    wait_for_all(me);
    for (size_t item = items.first; item < items.end; item++)
      attend(me, layer, item / heads, item % heads);
  }
  wait_for_all(me);
}

static void run_layer(member me, size_t layer) {
  const plumb_decoder_layer *weights = me.decoder->layers + layer;
  const plumb_decoding_pass *pass = me.pass;
  normalize_all(me, &weights->attention_norm);
  multiply_all(me, pass->rows, pass->normed, &weights->query_key_value, PLUMB_STORE,
               pass->query_key_value);
  attend_all(me, layer);
  multiply_all(me, pass->rows, pass->attended, &weights->output, PLUMB_ADD, pass->x);
  normalize_all(me, &weights->feed_forward_norm);
  multiply_all(me, pass->rows, pass->normed, &weights->up,
               weights->up.is_gated ? PLUMB_SWIGLU : PLUMB_GELU, pass->inner);
  multiply_all(me, pass->rows, pass->inner, &weights->down, PLUMB_ADD, pass->x);
}

/// The last norm and the logits of the rows that are read.
static void compute_logits(member me) {
  const size_t width = me.decoder->width;
  const range rows = part_of(me, me.pass->logit_rows);
  for (size_t row = rows.first; row < rows.end; row++)
    normalize(1, width, &me.decoder->final_norm,
              me.pass->x + (size_t)me.pass->logit_row[row] * width,
              me.pass->normed + row * width);
  wait_for_all(me);
  multiply_all(me, me.pass->logit_rows, me.pass->normed, &me.decoder->head, PLUMB_STORE,
               me.pass->logits);
}

static void draw_all(member me) {
  const plumb_draws *draws = &me.pass->draws;
  const size_t vocabulary = me.decoder->head.outer;
  const range items = part_of(me, draws->count);
  for (size_t i = items.first; i < items.end; i++)
    draws->tokens[i] = plumb_draw(
        draws->logits + (size_t)draws->rows[i] * vocabulary, vocabulary, &draws->options,
        draws->uniforms[i], draws->seen ? draws->seen[i] : NULL, me.scratch, draws->logprobs + i);
}

static void take_part(void *context, int number, int count) {
  decoding *all = context;
  const member me = {all->decoder, all->pass, &all->barrier, number, count,
                     all->pass->scratch + (size_t)number * all->pass->scratch_stride};
  embed(me);
  for (size_t layer = 0; layer < all->decoder->layer_count; layer++) run_layer(me, layer);
  if (all->pass->logit_rows > 0) compute_logits(me);
  draw_all(me);
}

size_t plumb_page_size(const plumb_decoder *decoder) {
  return 2 * decoder->layer_count * decoder->key_value_width * PLUMB_PAGE_TOKENS;
}

void plumb_decode(const plumb_decoder *decoder, const plumb_decoding_pass *pass) {
  decoding all = {.decoder = decoder, .pass = pass};
  team_run(take_part, &all);
}
