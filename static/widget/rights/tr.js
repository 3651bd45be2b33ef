export const words = {
  download: "Sohbetimi indir",
  erase: "Sohbetimi sil",
  sure: "Burada söylenen ve hakkınızda not edilen her şey kalıcı olarak silinsin mi?",
  yes: "Sil",
  erased: "Sohbetiniz silindi.",
  failed: "Olmadı. Lütfen tekrar deneyin.",
  agree: "Kabul ediyorum",
  policy: "Gizlilik politikası",
  notice: "Yazmadan önce",
};
