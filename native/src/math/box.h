// Box arithmetic: overlap measures of boxes given by centre and size (any common unit), and the directions that the
// IoU-type box losses push a predicted box in (darknet.md 4.6). One text for host and device. What a network's output
// means as a box is in yolo_loss.h; suppression of duplicates is in infer/detection.h.
#pragma once

#include <cmath>

#include "math/host_device.h"

namespace dk {

struct Box {
  float x, y, w, h;  // centre, size
};

// How the box part of the loss, or the likeness of two boxes, is measured.
enum class IouLoss : int { mse, iou, giou, diou, ciou };

struct Edges {
  float left, top, right, bottom;
};

DK_HD Edges box_edges(const Box& b) { return Edges{b.x - b.w / 2, b.y - b.h / 2, b.x + b.w / 2, b.y + b.h / 2}; }

DK_HD float smaller(float a, float b) { return a < b ? a : b; }
DK_HD float larger(float a, float b) { return a > b ? a : b; }

// Width and height of the common part of two boxes; negative where they are apart.
struct Extent {
  float w, h;
};

DK_HD Extent overlap_extent(const Edges& a, const Edges& b) {
  return Extent{smaller(a.right, b.right) - larger(a.left, b.left), smaller(a.bottom, b.bottom) - larger(a.top, b.top)};
}

DK_HD Extent enclosing_extent(const Edges& a, const Edges& b) {
  return Extent{larger(a.right, b.right) - smaller(a.left, b.left), larger(a.bottom, b.bottom) - smaller(a.top, b.top)};
}

DK_HD float box_intersection(const Box& a, const Box& b) {
  const Extent e = overlap_extent(box_edges(a), box_edges(b));
  return e.w < 0 || e.h < 0 ? 0.0f : e.w * e.h;
}

// Intersection over union; 0 where either is 0. Where a product and a sum become one operation is said here, not left to the
// compiler: what suppresses what must be the same on host and device.
DK_HD float box_iou(const Box& a, const Box& b) {
  const float common = box_intersection(a, b);
  const float united = fmaf(a.w, a.h, b.w * b.h) - common;
  return common == 0 || united == 0 ? 0.0f : common / united;
}

// IoU less the share of the enclosing box that neither box covers.
DK_HD float box_giou(const Box& a, const Box& b) {
  const Extent c = enclosing_extent(box_edges(a), box_edges(b));
  const float area = c.w * c.h, iou = box_iou(a, b);
  if (area == 0) return iou;
  const float united = a.w * a.h + b.w * b.h - box_intersection(a, b);
  return iou - (area - united) / area;
}

// Squared distance of the centres over the squared diagonal of the enclosing box; 0 if that is a point.
DK_HD float centre_distance_ratio(const Box& a, const Box& b) {
  const Extent c = enclosing_extent(box_edges(a), box_edges(b));
  const float diagonal = fmaf(c.w, c.w, c.h * c.h), dx = a.x - b.x, dy = a.y - b.y;
  return diagonal == 0 ? 0.0f : fmaf(dx, dx, dy * dy) / diagonal;
}

DK_HD float box_diounms(const Box& a, const Box& b, float beta) {
  return box_iou(a, b) - powf(centre_distance_ratio(a, b), beta);
}

// Upstream's DIoU takes the distance term to the power 0.6; greedy NMS depends on it.
DK_HD float box_diou(const Box& a, const Box& b) { return box_diounms(a, b, 0.6f); }

constexpr float kPiSquared = 9.8696044011f;

// IoU less the distance term less alpha * v, where v measures the difference of the aspect ratios. b is the truth.
DK_HD float box_ciou(const Box& a, const Box& b) {
  const float iou = box_iou(a, b);
  const float angle = atanf(b.w / b.h) - atanf(a.w / a.h);
  const float v = 4.0f / kPiSquared * angle * angle;
  const float alpha = v / (1.0f - iou + v + 0.000001f);
  return iou - (centre_distance_ratio(a, b) + alpha * v);
}

// The measure of the given kind; mse counts as iou.
DK_HD float box_similarity(const Box& a, const Box& b, IouLoss kind) {
  switch (kind) {
    case IouLoss::giou: return box_giou(a, b);
    case IouLoss::diou: return box_diou(a, b);
    case IouLoss::ciou: return box_ciou(a, b);
    default: return box_iou(a, b);
  }
}

// Per edge of the predicted box: the change of an area when the edge moves.
struct EdgeSlopes {
  float left, top, right, bottom;
};

DK_HD float quotient_slope(float a, float da, float b, float db) { return (b * da - a * db) / (b * b); }

// Slopes of the IoU (kind giou: of the generalised IoU) with regard to the edges of p. The intersection is the signed
// product of the overlaps, as upstream has it, so boxes that are apart in both directions count as overlapping.
DK_HD EdgeSlopes iou_edge_slopes(const Box& p, const Box& t, bool generalised) {
  const Edges a = box_edges(p), b = box_edges(t);
  const float height = a.bottom - a.top, width = a.right - a.left;
  const Extent o = overlap_extent(a, b);
  const float common = o.w * o.h;
  const float united = height * width + t.w * t.h - common;
  const EdgeSlopes area = {-height, -width, height, width};
  const EdgeSlopes inner = {a.left > b.left ? -o.h : 0.0f, a.top > b.top ? -o.w : 0.0f, a.right < b.right ? o.h : 0.0f,
                            a.bottom < b.bottom ? o.w : 0.0f};
  const EdgeSlopes outer = {area.left - inner.left, area.top - inner.top, area.right - inner.right, area.bottom - inner.bottom};
  EdgeSlopes g = {0, 0, 0, 0};
  if (united > 0) {
    g.left = quotient_slope(common, inner.left, united, outer.left);
    g.top = quotient_slope(common, inner.top, united, outer.top);
    g.right = quotient_slope(common, inner.right, united, outer.right);
    g.bottom = quotient_slope(common, inner.bottom, united, outer.bottom);
  }
  if (!generalised) return g;

  const Extent c = enclosing_extent(a, b);
  const float hull = c.w * c.h;
  const bool apart = o.w <= 0 || o.h <= 0;
  if (hull > 0) {
    const EdgeSlopes k = {quotient_slope(united, outer.left, hull, a.left < b.left ? -c.h : 0.0f),
                          quotient_slope(united, outer.top, hull, a.top < b.top ? -c.w : 0.0f),
                          quotient_slope(united, outer.right, hull, a.right > b.right ? c.h : 0.0f),
                          quotient_slope(united, outer.bottom, hull, a.bottom > b.bottom ? c.w : 0.0f)};
    if (apart) return k;
    g = EdgeSlopes{g.left + k.left, g.top + k.top, g.right + k.right, g.bottom + k.bottom};
  }
  return g;
}

// What diou and ciou add for the distance of the centres, in upstream's form: the part of x and y that comes from the
// enclosing box has the other sign than the true derivative.
DK_HD Box distance_direction(const Box& p, const Box& t, float* diagonal) {
  const Edges a = box_edges(p), b = box_edges(t);
  const Extent c = enclosing_extent(a, b);
  const float s = (p.x - t.x) * (p.x - t.x) + (p.y - t.y) * (p.y - t.y);
  const float d = c.w * c.w + c.h * c.h;
  const float right = a.right > b.right ? 1.0f : 0.0f, left = a.left < b.left ? 1.0f : 0.0f;
  const float bottom = a.bottom > b.bottom ? 1.0f : 0.0f, top = a.top < b.top ? 1.0f : 0.0f;
  *diagonal = d;
  return Box{(2 * (t.x - p.x) * d - 2 * c.w * (right - left) * s) / (d * d),
             (2 * (t.y - p.y) * d - 2 * c.h * (bottom - top) * s) / (d * d), 2 * c.w * (right + left) / 2 * s / (d * d),
             2 * c.h * (bottom + top) / 2 * s / (d * d)};
}

// What ciou adds to w and h for the aspect ratio; upstream leaves out the division by w^2 + h^2. alpha comes from the
// signed intersection.
DK_HD void add_aspect_direction(const Box& p, const Box& t, Box* e) {
  const Extent o = overlap_extent(box_edges(p), box_edges(t));
  const float common = o.w * o.h, united = p.w * p.h + t.w * t.h - common;
  const float angle = atanf(t.w / t.h) - atanf(p.w / p.h);
  const float v = 4.0f / kPiSquared * angle * angle;
  const float alpha = v / (1.0f - common / united + v + 0.000001f);
  e->w += alpha * 8.0f / kPiSquared * angle * p.h;
  e->h -= alpha * 8.0f / kPiSquared * angle * p.w;
}

// The direction (x, y, w, h) that moves the prediction p towards the truth t: what upstream adds up as "delta", before the
// chain rule of the width and height, the normaliser and the clamp. Not a true derivative: w and h are doubled, and see the
// two functions above (darknet.md 4.6 REPRODUCE). A size of 0 counts as 1. Kind mse has no such direction: zeros.
DK_HD Box box_gradient(Box p, const Box& t, IouLoss kind) {
  if (kind == IouLoss::mse) return Box{0, 0, 0, 0};
  if (p.w == 0) p.w = 1;
  if (p.h == 0) p.h = 1;
  const EdgeSlopes g = iou_edge_slopes(p, t, kind == IouLoss::giou);
  Box d = {g.left + g.right, g.top + g.bottom, g.right - g.left, g.bottom - g.top};
  if (kind != IouLoss::diou && kind != IouLoss::ciou) return d;

  float diagonal = 0;
  Box e = distance_direction(p, t, &diagonal);
  if (kind == IouLoss::ciou) add_aspect_direction(p, t, &e);
  const Extent o = overlap_extent(box_edges(p), box_edges(t));
  if (o.w <= 0 || o.h <= 0) return e;
  if (diagonal > 0) d = Box{d.x + e.x, d.y + e.y, d.w + e.w, d.h + e.h};
  return d;
}

}  // namespace dk
