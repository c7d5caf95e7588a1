// From a hold to a payment: the order fixes the prices, the payment fixes the seats, and then the provider's page takes over.
import {get, keepToken, newKey, post} from './api.js';

const orderKeys = new Map(); // hold → the key under which its order is opened, however often the button is pressed

const ordersKey = 'orders';
const ordersMax = 20;

/** The orders that were made in this browser, the newest first. Ids only: what opens them is in cookies. */
export function knownOrders() {
  try {
    const list = JSON.parse(localStorage.getItem(ordersKey) || '[]');
    return Array.isArray(list) ? list.filter((id) => /^ord_[0-9a-f-]{36}$/.test(id)) : [];
  } catch { return []; }
}

/** Keeps the id of an order for this browser's list. */
export function rememberOrder(id) {
  try {
    localStorage.setItem(ordersKey, JSON.stringify([id, ...knownOrders().filter((other) => other !== id)].slice(0, ordersMax)));
  } catch { /* then only the order's own link finds it */ }
}

/** Opens the order of a hold; pressed again, it gives the same order. */
export async function openOrder(hold, buyer) {
  if (!orderKeys.has(hold.id)) orderKeys.set(hold.id, newKey());
  try {
    const {body} = await post(`/v1/holds/${hold.id}/order`, {buyer}, {key: orderKeys.get(hold.id)});
    keepToken(body);
    rememberOrder(body.id);
    return body;
  } catch (e) {
    // The same key with other details of the buyer: that is a new wish.
    if (e.kind === 'key-reused') orderKeys.delete(hold.id);
    throw e;
  }
}

/** Starts a payment, or one more attempt at it. */
export async function pay(orderId) {
  const {body} = await post(`/v1/orders/${orderId}/payments`, {provider: 'sandbox', return_url: `/tickets?order=${orderId}`}, {key: newKey()});
  return body;
}

export const orderOf = async (id) => (await get(`/v1/orders/${id}`)).body;

export const cancel = async (id) => (await post(`/v1/orders/${id}/cancel`, {}, {key: newKey()})).body;
