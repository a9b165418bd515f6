/** Blocks: the 16 KiB parts that pieces are asked for in (BEP 3). @module */

/** Bytes of a block; the last of a piece may be shorter. What every client asks for and accepts. */
export const BLOCK_SIZE = 16 * 1024;

/** The shape of a torrent that the protocol needs: no names, no hashes. */
export interface PieceShape {
  readonly pieceCount: number;
  /** Bytes of every piece but the last. */
  readonly pieceLength: number;
  pieceSize(piece: number): number;
}

/** How many blocks piece `piece` has. */
export function blocksIn(shape: PieceShape, piece: number): number {
  return Math.ceil(shape.pieceSize(piece) / BLOCK_SIZE);
}

/** Bytes of block `block` of piece `piece`. */
export function blockSize(shape: PieceShape, piece: number, block: number): number {
  return Math.min(BLOCK_SIZE, shape.pieceSize(piece) - block * BLOCK_SIZE);
}
